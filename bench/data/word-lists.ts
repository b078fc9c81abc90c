/** Words that the generated texts are made of; the first ones of each list are used most. */

export const FIRST_NAMES =
  list(`Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Karla Leo Mia Noah Olga Paul Quentin Rosa
Samuel Tilda Ulrich Vera Walter Xenia Yusuf Zoe Amir Beatriz Chen Dmitri Elif Farid Giulia Hiroshi Ingrid Joana Kofi Lena
Mateo Nadia Oscar Priya Ravi Sofia Tomas Uma Viktor Wanda Yara Zdenka`);

export const LAST_NAMES =
  list(`Miller Schmidt Garcia Rossi Novak Johansson Kowalski Silva Tanaka Kim Nguyen Ivanov Okafor Haddad
Yilmaz Fischer Weber Becker Hoffmann Wagner Schulz Koch Bauer Richter Klein Wolf Neumann Schwarz Zimmermann Braun Hartmann
Lange Werner Krause Lehmann Maier Fuchs Peters Lang Scholz Jung Hahn Keller Vogel Roth Frank Berger Winkler Lorenz Albrecht`);

export const CITIES =
  list(`Berlin Hamburg Munich Vienna Zurich Paris Lyon Madrid Lisbon Rome Milan Prague Warsaw Oslo Stockholm
Helsinki Dublin London Leeds Brussels Utrecht Copenhagen Athens Sofia Bucharest Budapest Riga Tallinn Vilnius Ljubljana`);

export const STATES = list('delivered shipped paid pending returned cancelled disputed refunded');

export const WORDS =
  list(`the order customer please leave parcel at door and call before delivery with invoice not after address
changed by phone gift wrapped two boxes fragile this side up neighbour signed returned damaged corner replacement sent free
of charge second attempt failed because nobody home pick from station until friday weekend express standard economy weight
volume customs papers attached missing stamp checked twice warehouse north south east west line shift morning evening late
early discount voucher applied loyalty points added removed stock reserved split into partial shipment remaining follows
next week supplier confirmed delay weather strike holiday season sample test batch serial number scanned label printed again`);

export const IDENTIFIERS =
  list(`index value result options context buffer length offset request response error message handler
config state entry chunk stream reader writer parent child node path name type count limit start end source target cache key
record table column query cursor session token user group role schedule policy backup restore snapshot repository storage`);

function list(text: string): readonly string[] {
  return text.split(/\s+/);
}
