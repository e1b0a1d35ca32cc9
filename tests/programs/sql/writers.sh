# Eight processes write into one database in WAL mode at once, each in many small transactions; a ninth reads meanwhile. Nothing may
# be lost, no reader may see half a transaction, and the database must be sound.
db=writers.db
sqlite3 $db 'PRAGMA journal_mode = WAL; CREATE TABLE entry (writer INT, n INT, PRIMARY KEY (writer, n)) WITHOUT ROWID;
    CREATE TABLE account (id INTEGER PRIMARY KEY, amount INT); INSERT INTO account VALUES (1, 1000), (2, 1000);'
writer() {
    echo '.timeout 50000'
    n=0
    while [ $n -lt 20 ]; do
        n=$((n + 1))
        echo "BEGIN IMMEDIATE; INSERT INTO entry VALUES ($1, $n);"
        echo "UPDATE account SET amount = amount - $n WHERE id = 1; UPDATE account SET amount = amount + $n WHERE id = 2; COMMIT;"
    done
}
for w in 1 2 3 4 5 6 7 8; do
    writer $w | sqlite3 $db > said.$w 2>&1 &
    writers="$writers $!"
done
(
    reads=0
    while [ $reads -lt 5 ]; do
        reads=$((reads + 1))
        sum=$(sqlite3 -cmd '.timeout 50000' $db 'SELECT sum(amount) FROM account')
        [ "$sum" = 2000 ] || echo "a reader saw $sum"
    done
) &
for w in $writers; do wait $w || echo "a writer ended with status $?"; done
wait
cat said.*
sqlite3 $db 'SELECT writer, count(*), sum(n) FROM entry GROUP BY writer; SELECT * FROM account; PRAGMA integrity_check;'
sqlite3 $db 'PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE;'
ls writers.db*
