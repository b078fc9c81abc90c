/** Words of text that means nothing. Made by `npm run make-word-lists` from @faker-js/faker (MIT): a change of it is a change of MASKING_VERSION. */
export const LATIN_WORDS: readonly string[] = `
ab|abeo|absorbeo|abundans|acceptus|accusator|acidus|ad|adduco|adeptio|adflicto|adimpleo|admiratio|adnuo|adsuesco
aduro|aedificium|aegrotatio|aequus|aestus|aggero|ago|alienus|aliquam|alo|alveus|amet|amita|amoveo|ancilla
animadverto|anser|antiquus|aperte|appono|aptus|aranea|arca|arcus|arma|articulus|arx|asperiores|assentator|atavus
atrocitas|attonbitus|audax|auditor|aurum|auxilium|averto|bardus|bellicus|benevolentia|bis|bos|caecus|calcar|campana
canto|capto|careo|carmen|caste|caterva|caute|celebrer|cenaculum|cerno|cervus|cibo|cimentarius|circumvenio|clam
claudeo|coadunatio|cogito|cohaero|collum|combibo|comes|commemoro|communis|compono|concedo|conduco|confugo|conitor
conqueror|consequuntur|constans|contigo|convoco|corona|corrigo|coruscus|cras|crebro|crepusculum|crinis|crur|cubitum
culpa|cum|cunae|cupio|cura|curis|cursim|curtus|damno|debitis|decet|decretum|deduco|defessus|defluo|degusto|delego
delicate|demens|demonstro|denego|denuo|depopulo|deprimo|derelinquo|desidero|desolo|dignissimos|dolorem|dolorum|earum
eos|et|excepturi|facere|fugit|illo|incidunt|ipsa|itaque|laboriosam|magnam|maxime|molestiae|natus|nihil|nostrum|ocer
officiis|pariatur|patrocinor|pauper|pecto|pel|porro|quae|quasi|quidem|quo|recusandae|repellendus|sapiente|sint|sol
solium|solus|solvo|sono|sortitus|speculum|spiculum|stabilis|stillicidium|strenuus|stultus|subito|subseco|succurro
suggero|summa|sumptus|suppellex|supra|suscipio|suus|tabesco|tactus|talus|tametsi|tantillus|tego|tempora|tempus|tener
tepesco|teres|tergum|terra|terror|texo|thalassinus|theologus|thorax|timidus|tollo|torrens|totidem|trado|tremo
tricesimus|triumphus|tui|turba|tutis|ubi|ulterius|umerus|undique|urbs|ustilo|uter|utor|utroque|vacuus|valens|vallum
vehemens|velum|venio|venustas|verbum|vergo|versus|vesco|vester|via|victus|vigilo|vilis|vinculum|vir|viriliter|vita
vito|vociferor|volubilis|voluptas|voluptatibus|vomer|vorax|voveo|vulgivagus|vulnus
`
  .trim()
  .split(/[|\n]/);
