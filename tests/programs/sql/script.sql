-- A little of everything: tables, indexes, views, triggers, transactions, windows, recursion, text and numbers, errors.
.bail off
.mode list
.headers on
CREATE TABLE kernel (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, year INT CHECK (year > 1900), words INT);
INSERT INTO kernel (name, year, words) VALUES
    ('nucleus', 1969, 4),
    ('mach', 1985, 300),
    ('l3', 1988, 30),
    ('l4', 1993, 12),
    ('exokernel', 1995, 60),
    ('sel4', 2009, 10);
SELECT * FROM kernel ORDER BY year DESC;
SELECT count(*), min(year), max(year), sum(words), round(avg(words), 2) FROM kernel;
INSERT INTO kernel (name, year) VALUES ('mach', 1986);
INSERT INTO kernel (name, year) VALUES ('old', 1800);
INSERT INTO kernel (year) VALUES (2000);
SELECT nothing FROM kernel;
SELEKT 1;
CREATE INDEX by_year ON kernel (year);
EXPLAIN QUERY PLAN SELECT name FROM kernel WHERE year > 1990;
CREATE VIEW small AS SELECT name, words FROM kernel WHERE words < 50;
SELECT * FROM small ORDER BY words, name;
CREATE TABLE log (what TEXT, name TEXT);
CREATE TRIGGER added AFTER INSERT ON kernel BEGIN
    INSERT INTO log VALUES ('added', new.name);
END;
CREATE TRIGGER removed AFTER DELETE ON kernel BEGIN
    INSERT INTO log VALUES ('removed', old.name);
END;
INSERT INTO kernel (name, year, words) VALUES ('chestnut', 2026, 90);
DELETE FROM kernel WHERE name = 'l3';
SELECT * FROM log;
BEGIN;
UPDATE kernel SET words = words * 2;
SELECT sum(words) FROM kernel;
SAVEPOINT inner_one;
DELETE FROM kernel;
SELECT count(*) FROM kernel;
ROLLBACK TO inner_one;
SELECT count(*) FROM kernel;
ROLLBACK;
SELECT sum(words) FROM kernel;
WITH RECURSIVE fibonacci (n, a, b) AS (
    SELECT 1, 0, 1 UNION ALL SELECT n + 1, b, a + b FROM fibonacci WHERE n < 50
)
SELECT n, a FROM fibonacci WHERE n % 10 = 0;
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 5000)
SELECT count(*), sum(n), total(n * 1.5) FROM number WHERE n % 7 = 3;
CREATE TABLE big AS
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 20000)
SELECT n AS id, (n * 7919) % 10007 AS hash, printf('row %05d', n) AS text FROM number;
CREATE INDEX big_hash ON big (hash, id);
SELECT count(*), count(DISTINCT hash), min(text), max(text) FROM big;
SELECT id, text FROM big WHERE hash = 1234 ORDER BY id;
SELECT id % 10 AS last, count(*), sum(hash) FROM big GROUP BY last HAVING last IN (1, 5, 9) ORDER BY last;
DELETE FROM big WHERE id % 3 = 0;
SELECT count(*) FROM big;
VACUUM;
PRAGMA integrity_check;
PRAGMA page_count;
SELECT name, year, rank() OVER (ORDER BY words DESC) AS place,
    sum(words) OVER (ORDER BY year ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS two
FROM kernel ORDER BY year;
SELECT a.name, b.name FROM kernel a JOIN kernel b ON b.year - a.year BETWEEN 1 AND 10 ORDER BY a.year, b.year;
SELECT coalesce(NULL, 'x'), nullif(1, 1) IS NULL, iif(2 > 1, 'yes', 'no'), typeof(1.0), typeof('a'), typeof(x'00');
SELECT upper('abc'), substr('kernel', 2, 3), replace('a-b-c', '-', '+'), instr('hello', 'll'), length('four'), trim('  x ');
SELECT hex('abc'), quote('it''s'), printf('%5.2f|%-6s|%06d|%x', 3.14159, 'ab', 42, 255), char(65, 66), unicode('a');
SELECT 7 / 2, 7 % 3, 7.0 / 2, 1 << 10, 5 & 3, 5 | 3, ~5, abs(-4), 9223372036854775807, 9223372036854775807 + 1;
SELECT date('2024-02-28', '+2 days'), strftime('%j %w %H:%M', '2026-11-21 14:45:00'), julianday('2000-01-01');
SELECT name FROM kernel WHERE name LIKE '%e%' AND name GLOB '*l*' ORDER BY length(name), name;
SELECT json_extract('{"a": [1, 2, {"b": "c"}]}', '$.a[2].b'), json_array_length('[1,2,3]'), json_type('{}');
SELECT value, key FROM json_each('["x", "y", "z"]');
SELECT group_concat(name, ', ') FROM (SELECT name FROM kernel ORDER BY name);
.mode csv
SELECT * FROM small;
.mode column
SELECT name, year FROM kernel LIMIT 3 OFFSET 1;
.mode insert copy
SELECT name, year FROM kernel WHERE year < 1990;
.mode line
SELECT name, words FROM kernel WHERE name = 'l4';
.mode list
.headers off
CREATE VIRTUAL TABLE letters USING fts5 (title, body);
INSERT INTO letters VALUES ('one', 'the small kernel is fast'), ('two', 'a large kernel is slow'), ('three', 'no system at all');
SELECT title FROM letters WHERE letters MATCH 'kernel NOT large' ORDER BY rank;
CREATE TABLE parent (id INTEGER PRIMARY KEY);
PRAGMA foreign_keys = ON;
CREATE TABLE child (id INTEGER REFERENCES parent ON DELETE CASCADE);
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (1), (1), (2);
INSERT INTO child VALUES (3);
DELETE FROM parent WHERE id = 1;
SELECT count(*) FROM child;
INSERT INTO parent VALUES (2) ON CONFLICT DO NOTHING;
INSERT OR REPLACE INTO parent VALUES (2);
SELECT count(*) FROM child;
PRAGMA journal_mode = WAL;
INSERT INTO log VALUES ('in', 'wal');
PRAGMA wal_checkpoint(TRUNCATE);
.tables
.schema kernel
.dump parent
ATTACH 'other.db' AS other;
CREATE TABLE other.copied AS SELECT * FROM main.kernel;
SELECT count(*) FROM other.copied;
DETACH other;
SELECT changes(), total_changes() > 20000;
.exit 5
