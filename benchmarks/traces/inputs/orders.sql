-- Small transactions, JSON, triggers, views and full scans; :rows is the number of orders.
PRAGMA cache_size = 500;
CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT UNIQUE, data TEXT);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER, total REAL, placed TEXT, lines TEXT);
CREATE TABLE log(id INTEGER PRIMARY KEY, what TEXT);
CREATE TRIGGER logged AFTER UPDATE ON orders BEGIN INSERT INTO log(what) VALUES ('order ' || new.id || ' ' || new.total); END;
CREATE VIEW spent AS SELECT name, count(*) AS orders, sum(total) AS total FROM customer JOIN orders ON customer = customer.id GROUP BY name;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows / 20)
INSERT INTO customer SELECT i, 'customer ' || i, json_object('street', hex(i * 7919), 'numbers', json_array(i, i + 1, i % 7)) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO orders SELECT i, 1 + i * 7919 % (:rows / 20), i % 1000 * 0.25, date('2024-01-01', (i % 700) || ' days'),
  json_array(json_object('item', 'item ' || i % 50, 'count', i % 9), json_object('item', 'other', 'count', 1)) FROM n;
CREATE INDEX of_customer ON orders(customer);
SELECT * FROM spent ORDER BY total DESC, name LIMIT 10;
SELECT json_extract(value, '$.item') AS item, sum(json_extract(value, '$.count')) FROM orders, json_each(orders.lines) GROUP BY item ORDER BY 2 DESC LIMIT 10;
UPDATE orders SET total = total + 1 WHERE customer % 5 = 0;
SELECT strftime('%Y-%m', placed) AS month, count(*), group_concat(DISTINCT customer % 10) FROM orders GROUP BY month;
DELETE FROM orders WHERE total < 10;
SELECT name FROM customer WHERE name LIKE '%7%' AND id IN (SELECT customer FROM orders WHERE lines LIKE '%item 7"%') ORDER BY name LIMIT 10;
SELECT count(*), max(what), printf('%.2f', avg(length(what))) FROM log;
