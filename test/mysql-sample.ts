/** What MySQL has that MariaDB has not, or prints otherwise: tables with their rows, for the client in a database of their own. */
export const MYSQL_SAMPLE = `
SET NAMES utf8mb4;
SET sql_generate_invisible_primary_key = 0;
CREATE TABLE people (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  email varchar(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_cs NOT NULL,
  name varchar(80) COLLATE utf8mb4_de_pb_0900_ai_ci DEFAULT (concat('new;', '''')),
  doc json DEFAULT (json_object('a', json_array(1, ';'))),
  born date DEFAULT (curdate() + interval 1 day),
  secret_code char(8) INVISIBLE DEFAULT 'hush;',
  city varchar(60) GENERATED ALWAYS AS (json_unquote(json_extract(doc, '$.city'))) VIRTUAL,
  loud varchar(200) GENERATED ALWAYS AS (upper(email)) STORED NOT NULL,
  place point NOT NULL /*!80003 SRID 4326 */,
  area geometry SRID 0,
  uid binary(16) DEFAULT (uuid_to_bin(uuid())),
  boss bigint unsigned,
  tags set('a','b;') DEFAULT 'a',
  flags bit(9) DEFAULT b'101',
  made timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  mood enum('sad','it''s \\\\ fine') COLLATE utf8mb4_bin DEFAULT 'sad',
  feel vector(3) DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY email (email),
  UNIQUE KEY lowered ((lower(email))),
  KEY by_name (name DESC),
  KEY unseen (born) INVISIBLE,
  KEY zips ((cast(json_extract(doc, '$.zips') AS unsigned array))),
  SPATIAL KEY place (place),
  FULLTEXT KEY words (name),
  CONSTRAINT long_enough CHECK (char_length(email) > 3),
  CONSTRAINT not_looked_at CHECK (born > '1800-01-01') /*!80016 NOT ENFORCED */,
  CONSTRAINT fk_boss FOREIGN KEY (boss) REFERENCES people (id) ON DELETE SET NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci COMMENT='people''s; table' STATS_PERSISTENT=1;
CREATE TABLE orders (
  id int NOT NULL, person bigint unsigned NOT NULL, total decimal(10,2) CHECK (total >= 0), note text,
  PRIMARY KEY (id), CONSTRAINT of_person FOREIGN KEY (person) REFERENCES people (id)
);
CREATE TABLE parts (id int NOT NULL, made date NOT NULL, what varchar(20), PRIMARY KEY (id, made))
  PARTITION BY RANGE COLUMNS (made) SUBPARTITION BY KEY (id) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN ('2020-01-01'), PARTITION p1 VALUES LESS THAN (MAXVALUE));
CREATE TABLE listed (id int, kind int) PARTITION BY LIST (kind) (PARTITION a VALUES IN (1,2), PARTITION b VALUES IN (3,NULL));
CREATE TABLE \`od\`\`d; -- na"me\` (\`co'l\` text, \`system\` int DEFAULT (3), \`rank\` int);
CREATE TABLE old (a varchar(30)) CHARSET=latin1 ENGINE=MyISAM ROW_FORMAT=COMPRESSED;
SET sql_generate_invisible_primary_key = 1;
CREATE TABLE keyless (what varchar(50)) COMPRESSION='zlib' ENCRYPTION='N';
SET sql_generate_invisible_primary_key = 0;
INSERT INTO people (email, name, doc, born, secret_code, place, area, boss, flags, mood, feel)
  WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300)
  SELECT concat('person', n, '@corp.example'), if(n % 7 = 0, NULL, concat('Nämé ', n, '; DROP')), json_object('city', concat('Corpville ', n), 'zips', json_array(n, n + 1), 'q', 'it''s \\\\ "q"'),
    '1980-01-01' + interval n day, concat('c', n), st_geomfromtext(concat('POINT(', n % 80, ' ', n % 170, ')'), 4326), if(n % 3 = 0, st_geomfromtext('LINESTRING(0 0,1 1)'), NULL),
    if(n = 1, NULL, n DIV 2), n, 'it''s \\\\ fine', if(n % 2 = 0, to_vector(concat('[', n, ',0.5,-1]')), NULL) FROM n;
INSERT INTO people (email, name, doc, place) VALUES ('o''hara\\\\@corp.example', 'INSERT INTO \`people\` VALUES (1);\\n\\\\! id', '{"city": "a\\\\nb", "k": "\\\\\\\\ ; -- "}', st_geomfromtext('POINT(39 10)', 4326));
INSERT INTO orders WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 600) SELECT n, n % 300 + 1, n / 7, concat('for person', n, '@corp.example') FROM n;
INSERT INTO parts WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50) SELECT n, '2019-12-01' + interval n day, concat('part ', n) FROM n;
INSERT INTO listed VALUES (1, 1), (2, 3), (3, NULL);
INSERT INTO \`od\`\`d; -- na"me\` (\`co'l\`) VALUES ('DELIMITER //'), ('source /etc/passwd'), ('\\nsystem id\\n'), ('$$ ; $$'), ('/*!80000 x */');
INSERT INTO old VALUES ('é'), ('plain');
INSERT INTO keyless VALUES ('one@corp.example'), ('two');
CREATE ALGORITHM=MERGE DEFINER=CURRENT_USER SQL SECURITY INVOKER VIEW bosses AS SELECT id, email FROM people WHERE boss IS NULL WITH CASCADED CHECK OPTION;
CREATE VIEW late AS WITH c AS (SELECT id, row_number() OVER (ORDER BY id) AS r FROM people) SELECT c.id, p.city, j.z FROM c JOIN people p USING (id), LATERAL (SELECT 1 AS z) j;
CREATE JSON RELATIONAL DUALITY VIEW cards AS SELECT json_duality_object('_id': id, 'total': total, 'note': note) FROM orders;
CREATE ROLE IF NOT EXISTS reader;
GRANT SELECT ON people TO reader;
ANALYZE TABLE people UPDATE HISTOGRAM ON born WITH 4 BUCKETS;
DELIMITER //
CREATE PROCEDURE add_person(IN given json) SQL SECURITY INVOKER
BEGIN
  -- it's; a comment
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  /* another ; */
  INSERT INTO people (email, doc, place) SELECT j.e, given, st_geomfromtext('POINT(1 1)', 4326) FROM json_table(given, '$[*]' COLUMNS (e varchar(100) PATH '$.e')) j; # and; '
END //
CREATE FUNCTION doubled(n int) RETURNS int NO SQL DETERMINISTIC RETURN n * 2 //
CREATE TRIGGER stamped BEFORE INSERT ON people FOR EACH ROW BEGIN SET NEW.name = concat(NEW.name, '\\''); END //
CREATE TRIGGER stamped_too BEFORE INSERT ON people FOR EACH ROW FOLLOWS stamped SET NEW.name = trim(NEW.name) //
CREATE EVENT cleared ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' DISABLE COMMENT 'it''s; daily' DO BEGIN DELETE FROM orders; END //
DELIMITER ;
`;
