-- Bulk insert, indices, group by, join, update, delete; :rows is the number of rows.
PRAGMA cache_size = 2000;
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, kind INTEGER, price REAL, note TEXT);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO item SELECT i, 'item ' || (i * 7919 % :rows), i % 97, i * 1.25, substr(hex(i * 1234567), 1, i % 12) FROM n;
COMMIT;
CREATE INDEX by_name ON item(name);
CREATE INDEX by_kind ON item(kind, price);
SELECT kind, count(*), round(sum(price), 2), max(name) FROM item GROUP BY kind ORDER BY kind LIMIT 20;
SELECT count(DISTINCT note), group_concat(DISTINCT substr(note, 1, 2)) FROM item;
SELECT a.kind, count(*) FROM item a JOIN item b ON a.name = b.name WHERE b.kind < 20 GROUP BY a.kind ORDER BY 2, 1 LIMIT 9;
UPDATE item SET note = note || name WHERE kind % 3 = 0;
DELETE FROM item WHERE kind = 5;
SELECT count(*), sum(length(note)) FROM item;
SELECT name, row_number() OVER (PARTITION BY kind ORDER BY price DESC) AS place FROM item ORDER BY place, name LIMIT 5;
VACUUM;
PRAGMA integrity_check;
