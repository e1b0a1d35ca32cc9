//! BusyBox command lines, run by its shell, by name: script and standard input.
//!
//! [`PLAIN`] goes through the applets; [`HARD`] through what a system has to do for them: pipes, signals, terminals, large files.
//! Both say the same at every run: no process ids, no dates of today, no owners. A test counts them, so that none gets lost.

/// What a line of [`HARD`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strain {
    Pipe,
    Signal,
    Terminal,
    Large,
}

/// Name, script, standard input.
pub const PLAIN: &[(&str, &str, &str)] = &[
    ("ar_list_and_print", "cd dir; uudecode; ar t lib.a; ar p lib.a one; ar x lib.a; cat two", LIBRARY),
    ("ascii", "ascii | head -n 4", ""),
    ("awk_associative", r#"awk '{ n[$1]++ } END { for (w in n) print w, n[w] }' words.txt | sort"#, ""),
    (
        "awk_functions",
        r#"awk 'function f(n) { return n < 2 ? n : f(n-1) + f(n-2) } BEGIN { print f(18); printf "%5.2f|%-6s|%06d|%x\n", 3.14159, "ab", 42, 255 }'"#,
        "",
    ),
    (
        "awk_strings",
        r#"awk 'BEGIN { s = "one,two;three"; n = split(s, a, /[,;]/); print n, a[3], length(s), substr(s, 5, 3), index(s, "two"), toupper(s); gsub(/o/, "0", s); print s, match(s, /t[a-z]+/), RSTART, RLENGTH }'"#,
        "",
    ),
    (
        "awk_getline_and_pipes",
        r#"awk 'BEGIN { while ((getline line < "words.txt") > 0) n++; print n; "echo from a command" | getline x; print x; print "b\na" | "sort"; close("sort"); exit 4 }'"#,
        "",
    ),
    (
        "awk_fields",
        r#"awk -F, -v OFS=: 'NR > 1 { $2 = $2 + 1; print; t += $3 } END { print NR, t, NF }' table.csv"#,
        "",
    ),
    (
        "awk_program_file",
        r#"printf '%s\n' '/e$/ { e++ }' '!/e$/ { o++ }' 'END { print e + 0, o + 0 }' > p; awk -f p words.txt; awk 'BEGIN {' ; echo $?"#,
        "",
    ),
    (
        "base64_and_back",
        "base64 bytes | tee b; base64 -d b | cmp - bytes && echo same; seq 200 | base64 -w 40 | tail -n 2",
        "",
    ),
    ("basename_and_dirname", "for p in /a/b.c /a/ a / . a/b/; do echo $(basename $p .c) $(dirname $p); done", ""),
    (
        "bc",
        "echo 'scale=20; 4*a(1); 2^100; define f(n) { if (n<2) return 1; return n*f(n-1) }; f(25); obase=16; 255' | bc -l",
        "",
    ),
    ("bunzip2_and_bzcat", "seq 500 > n; bzip2 n; ls n*; bzcat n.bz2 | tail -n 1; bunzip2 n.bz2; wc -l n", ""),
    ("bzip2_levels", "for l in 1 5 9; do seq 3000 | bzip2 -$l | md5sum; done", ""),
    ("cal", "cal 9 1752; cal 2024 | head -n 12; cal 2 2023", ""),
    ("cat_numbered", "printf 'a\\n\\n\\nb\\tc\\n' | cat -n; printf 'a\\tb\\001\\n' | cat -A", ""),
    (
        "chown_refused",
        "chown 0:0 no-such-file; echo $?; chgrp 0 no-such-file; echo $?; chown nobody-at-all words.txt; echo $?",
        "",
    ),
    ("clear_and_reset", "clear | od -c; reset | od -c; ttysize 2>/dev/null; echo $?", ""),
    ("fdisk_of_a_file", "truncate -s 2M d; fdisk -l d; fdisk -l none; echo $?", ""),
    ("taskset", "taskset 1 echo ran too; taskset 0 echo never; echo $?", ""),
    (
        "killall_and_pidof",
        "killall no-such-program; echo $?; killall -q no-such-program; echo $?; pidof no-such-program; echo $?",
        "",
    ),
    (
        "lzcat_and_xzcat",
        "printf x | lzcat; echo $?; printf 'a' | xzcat; echo $?; uncompress none; echo $?; printf 'abc' > f.Z; uncompress f.Z; echo $?",
        "",
    ),
    ("linux32_and_64", "linux32 uname -m; linux64 uname -m; linux32 sh -c 'linux64 uname -m; exit 3'; echo $?", ""),
    ("setpriv_shows_nothing_new", "setpriv --nnp grep NoNewPrivs /proc/self/status; setpriv echo ran", ""),
    (
        "mkpasswd",
        "mkpasswd -m md5 -S saltsalt secret; mkpasswd -m sha512 -S saltsalt secret; echo word | mkpasswd -m des -S ab -P 0",
        "",
    ),
    ("mkswap_too_small", "truncate -s 4k s; mkswap s; echo $?; mkdosfs none; echo $?", ""),
    ("renice_refused", "renice -n 1 999999; echo $?; renice; echo $?", ""),
    (
        "shred",
        "seq 1000 > f; shred -n 1 -z f; od -A n -t x1 f | sort -u | head -n 1; stat -c %s f; shred -u -n 1 f; ls f",
        "",
    ),
    (
        "start_stop_daemon",
        "start-stop-daemon -S -x /no/such/daemon; echo $?; start-stop-daemon -K -x /no/such/daemon; echo $?",
        "",
    ),
    ("svok_and_sysctl", "svok dir; echo $?; sysctl -n kernel.ostype; sysctl -n no.such.key; echo $?", ""),
    (
        "freeramdisk_refused",
        "freeramdisk none; echo $?; mountpoint dir 2>/dev/null; swapon none; echo $?; umount none 2>/dev/null; echo $?",
        "",
    ),
    (
        "chmod_modes",
        "touch f; for m in 755 u-x g+w o= a+X ugo=r u+s 1644 +t; do chmod $m f; stat -c %a f; done; chmod 999 f; echo $?",
        "",
    ),
    ("chmod_tree", "mkdir -p t/u; touch t/f t/u/g; chmod -R u=rwX,go= t; stat -c '%a %n' t t/f t/u t/u/g", ""),
    (
        "cmp_bytes",
        "printf abcd > a; printf abXd > b; printf abcde > c; cmp a b; cmp -l a b; cmp -s a b; echo $?; cmp a c; echo $?; cmp a a; echo $?",
        "",
    ),
    (
        "cp_trees",
        "cp -r dir copy; diff -r dir copy && echo same; cp -a script.sh s; stat -c '%a %n' s; cp dir x; echo $?; cp words.txt numbers.txt copy; ls copy",
        "",
    ),
    (
        "cp_links",
        "ln -s words.txt l; cp l plain; cp -d l link; test -L plain; echo $?; readlink link; cp -l words.txt hard; stat -c %h words.txt",
        "",
    ),
    (
        "cpio",
        "find dir | sort | cpio -o -H newc 2>e > a.cpio; cpio -t < a.cpio 2>/dev/null; mkdir x; cd x; cpio -id < ../a.cpio 2>/dev/null; cat dir/deeper/file",
        "",
    ),
    ("crc32", "crc32 words.txt bytes; seq 99 | crc32", ""),
    ("cut", "cut -c 2-4 words.txt; cut -d' ' -f2- numbers.txt; cut -b1 numbers.txt; cut -d, -f2,3 -s table.csv", ""),
    (
        "date_arithmetic",
        "date -u -d '2026-02-28 23:59:59' '+%F %T %s %j %u %V %a %b'; date -u -d @86400 -R; date -u -d 202001010000 +%c; date -d nonsense; echo $?",
        "",
    ),
    (
        "date_reference",
        "touch -d '2020-05-06 07:08:09' f; date -u -r f '+%Y/%m/%d %I:%M:%S %p'; TZ=EST5EDT date -r f",
        "",
    ),
    ("dc", "echo '2 100 ^ p 5 k 2 v p [la 1 + d sa 5 >b] sb 0 sa lb x la p' | dc", ""),
    (
        "dd_pieces",
        "seq 1 50 > s; dd if=s of=d bs=7 skip=2 seek=3 count=4 2>/dev/null; od -c d | head -n 5; dd if=words.txt conv=notrunc of=d 2>/dev/null bs=4; wc -c d",
        "",
    ),
    ("dd_report", "dd if=/dev/zero of=z bs=1k count=3 2>&1 | head -n 2; stat -c %s z; dd if=no-such-file; echo $?", ""),
    ("df_unknown", "df no-such-file; echo $?; df / | tail -n 1 | sed 's/.* //'", ""),
    (
        "diff_unified",
        "sed 's/kernel/monitor/; 4d' words.txt > w; diff words.txt w | cat; diff -q words.txt w; diff -s w w; diff -U1 -L old -L new words.txt w; echo $?",
        "",
    ),
    (
        "diff_folders",
        "cp -r dir d; echo more >> d/file; rm d/deeper/file; touch d/new; diff -r dir d | sed 's/\\t.*//'; diff -rq dir d",
        "",
    ),
    (
        "diff_blanks",
        "printf 'a b\\nc\\n' > x; printf 'a  b\\nc\\n\\n' > y; diff -b x y; echo $?; diff -bB x y; echo $?; diff -w x y; echo $?",
        "",
    ),
    (
        "patch",
        "sed 's/slot/socket/' words.txt > w; diff -u -L words.txt -L words.txt words.txt w > p; patch < p; cmp words.txt w && echo patched; patch -R < p; grep -c slot words.txt",
        "",
    ),
    (
        "patch_refused",
        "printf '%s\\n' '--- words.txt' '+++ words.txt' '@@ -1,2 +1,2 @@' '-nothing' '+like' ' this' > p; patch < p; echo $?; ls *.rej",
        "",
    ),
    ("dirname_many", "dirname a/b/c /x y// ; dirname", ""),
    ("dos2unix", "printf 'a\\nb\\n' > t; unix2dos t; od -c t; dos2unix t; od -c t", ""),
    (
        "du",
        "mkdir t; dd if=/dev/zero of=t/f bs=1024 count=40 2>/dev/null; du -k t/f; du -s no-such-folder; echo $?",
        "",
    ),
    ("echo", "echo -n a; echo -e 'b\\x41\\0101\\tq\\c' ignored; echo; echo -E 'a\\n' -n", ""),
    (
        "ed",
        "printf '%s\\n' '1,3p' '/slot/s/s/S/' '$a' 'last line' . '2d' '1,$n' w q | ed words.txt; tail -n 3 words.txt",
        "",
    ),
    (
        "egrep_and_fgrep",
        "egrep 'k|p{2}|^t' words.txt; fgrep -c e words.txt; fgrep -x slot words.txt; egrep -o '[aeiou]+' words.txt | sort | uniq -c",
        "",
    ),
    (
        "env_changes",
        "env -i B=2 A=1 env; env -u HOME sh -c 'echo [$HOME]'; env X='a b' sh -c 'echo \"$X\"'; env no-such-program; echo $?",
        "",
    ),
    (
        "expand_and_unexpand",
        "printf '\\ta\\n  \\tb\\n' | expand -t 4 | cat -A; printf '        a       b\\n' | unexpand -a | cat -A",
        "",
    ),
    (
        "expr",
        "expr 7 % 4; expr \\( 1 + 2 \\) \\* 3; expr abc : 'a\\(.\\)'; expr length words; expr substr kernel 2 3; expr 3 \\> 10; expr a \\< b; expr 1 / 0; echo $?; expr index kernel rn",
        "",
    ),
    ("factor", "factor 97 1001 18446744073709551557 600851475143; echo 12 13 | factor; factor x; echo $?", ""),
    ("fallocate", "fallocate -l 5000 f; stat -c %s f; fallocate -o 6000 -l 1000 f; stat -c %s f", ""),
    (
        "find_predicates",
        "find . -name '*.txt' | sort; find . -type d | sort; find . -size -20c -type f | sort; find . -perm 755 -type f | sort; find dir -mindepth 1 -maxdepth 1 | sort; find . -newer no-such-file; echo $?",
        "",
    ),
    (
        "find_actions",
        "find . -name '*.txt' -exec wc -c {} \\; | sort; find dir -type f -exec cat {} + | sort; find . -name words.txt -printf x 2>/dev/null; touch a.tmp b.tmp; find . -name '*.tmp' -delete; ls",
        "",
    ),
    (
        "find_operators",
        "find . \\( -name 'w*' -o -name 'n*' \\) ! -name '*.csv' -print | sort; find . -path ./dir -prune -o -type f -print | sort; find . -empty; find . -type f -links 1 | wc -l; find dir -depth | tail -n 1",
        "",
    ),
    (
        "find_print0",
        "touch 'a b' 'c\nd'; find . -maxdepth 1 -name '[ac] *' -print0; find . -maxdepth 1 -name '[ac]?*' ! -name '*.*' -print0 | sort -z | xargs -0 -n 1 basename | od -c",
        "",
    ),
    ("fold", "seq -s ' ' 1 40 | fold -w 20 -s; printf 'abcdefghij' | fold -b -w 4; echo", ""),
    (
        "getopt",
        "set -- $(getopt -o ab:c -l long,with: -- -a -b x --long --with=y rest -c); echo $*; getopt -o a -- -z; echo $?",
        "",
    ),
    (
        "grep_options",
        "grep -i KERNEL words.txt; grep -v e words.txt; grep -c kernel words.txt; grep -l kernel *; grep -L kernel *.txt; grep -o 'e[a-z]' words.txt; grep -m 2 -n e words.txt; grep -q slot words.txt; echo $?",
        "",
    ),
    (
        "grep_context",
        "grep -A 1 -B 1 endpoint words.txt; grep -C 1 badge words.txt; grep -e slot -e reply words.txt; grep -E '^(k|b).*l?$' words.txt; grep -w ten numbers.txt; grep -rh still dir; grep -h x no-such-file; echo $?",
        "",
    ),
    (
        "gzip_files",
        "cp words.txt w; gzip w; ls w*; gunzip -c w.gz | cmp - words.txt; zcat w.gz | wc -l; gzip -t w.gz; echo $?; gunzip w.gz; ls w*; echo broken > b.gz; gunzip b.gz; echo $?",
        "",
    ),
    (
        "head_and_tail",
        "head -n 2 words.txt numbers.txt; head -n -8 words.txt; head -c 3 bytes | od -c; tail -n 2 words.txt; tail -c 4 words.txt; tail -n +9 words.txt; tail -q -n 1 words.txt numbers.txt; tail -n 1 -v words.txt",
        "",
    ),
    (
        "hexdump_formats",
        "hexdump bytes; hexdump -c bytes; hexdump -d bytes; hexdump -x -n 6 bytes; hexdump -v -e '4/1 \"%02x \" \"\\n\"' bytes; hexdump -s 4 -C bytes; hd bytes 2>/dev/null; echo $?",
        "",
    ),
    ("id_of_a_name", "id -u root; id -g root; id -un root; id no-such-user; echo $?", ""),
    ("ipcalc", "ipcalc -b -n -m -p 192.168.5.17/22", ""),
    ("less_as_cat", "less words.txt | head -n 2; echo piped | less", ""),
    (
        "link_and_unlink",
        "link words.txt again 2>/dev/null || ln words.txt again; stat -c '%h %n' words.txt; unlink again; stat -c %h words.txt; unlink again; echo $?",
        "",
    ),
    (
        "ln_readlink_realpath",
        "ln -s dir/file l; readlink l; cat l; ln -s nowhere broken; cat broken; readlink -f l | sed 's|.*/dir|dir|'; basename $(realpath l); ln -s l l; echo $?; ln -sf words.txt l; readlink l; ln -s loop loop; cat loop",
        "",
    ),
    (
        "ls_forms",
        "ls -1a; ls -d dir; ls -p; ls -F; ls -r; ls -1S *.txt; ls -R dir; touch -d '2001-01-01' old; ls -t *.txt old | tail -n 1",
        "",
    ),
    (
        "lzma_and_lzop",
        "seq 300 > n; lzop n 2>/dev/null; ls n.lzo && lzop -d -c n.lzo | tail -n 1; echo $?; printf x | lzma; echo $?",
        "",
    ),
    (
        "md5_and_sha",
        "for s in md5sum sha1sum sha256sum sha512sum sha3sum; do $s words.txt; $s < bytes; done; md5sum *.txt > sums; md5sum -c sums; echo x >> words.txt; md5sum -c sums; echo $?",
        "",
    ),
    (
        "mkdir_rmdir",
        "mkdir -m 700 a; mkdir -p a/b/c; mkdir a; echo $?; stat -c %a a; rmdir a; echo $?; rmdir -p a/b/c; ls -d a; mkdir x/y; echo $?",
        "",
    ),
    ("mkfifo_and_stat", "mkfifo -m 640 f; stat -c '%F %a' f; test -p f; echo $?; ls -F f; mkfifo f; echo $?", ""),
    (
        "mktemp",
        "f=$(mktemp ./tXXXXXX); test -f $f; echo $? ${#f}; stat -c %a $f; d=$(mktemp -d -p .); test -d $d; echo $?; mktemp no-xs; echo $?",
        "",
    ),
    ("more_as_cat", "more words.txt | tail -n 2", ""),
    (
        "mv",
        "mv words.txt w; ls; mkdir d; mv w numbers.txt d; ls d; mv d e; ls e; mv none x; echo $?; echo new > n; echo old > o; mv -n n o; cat o; mv n o; cat o; mv dir e/w; echo $?",
        "",
    ),
    ("nl", "printf 'a\\n\\nb\\n' | nl; nl -b a -w 3 -s: numbers.txt", ""),
    ("nproc_and_arch", "test $(nproc) -ge 1; echo $?; arch; uname -m; uname -s", ""),
    (
        "od_formats",
        "od -x bytes; od -b bytes; od -A d -t x1 bytes; od -A n -t u2 -N 6 bytes; od -t d4 -j 3 bytes; seq 100 | od -c | tail -n 2; od -v -A x -t o1 bytes",
        "",
    ),
    (
        "paste_and_join",
        "paste -d: numbers.txt words.txt; paste -s -d, numbers.txt; paste - - < numbers.txt; cut -d' ' -f1 numbers.txt | paste -s -d+ | bc",
        "",
    ),
    (
        "printf",
        r#"printf '%5d|%-5d|%05d|%+d|%x|%o|%e|%.3g|%c|%s|%%|%b\n' 42 42 42 42 255 8 12345.678 0.00012345 xyz str 'a\tb'; printf '%d %d\n' 1 2 3; printf '%d\n' zz; echo $?; printf '%*d|\n' 6 7"#,
        "",
    ),
    (
        "pwd_and_cd",
        "cd dir/deeper; basename $(pwd); cd ../..; ln -s dir l; cd l; basename $(pwd); basename $(pwd -P); cd no-such; echo $?",
        "",
    ),
    ("rev_and_tac", "rev words.txt | tac; printf 'no newline' | rev; echo; printf 'a\\nb' | tac; echo", ""),
    (
        "rm",
        "touch a b; mkdir c; rm a c; echo $?; rm -r c; rm -f none; echo $?; rm none; echo $?; chmod 000 b; rm -f b; ls; rm -rf dir; ls",
        "",
    ),
    (
        "run_parts",
        "mkdir p; for i in 2 1 3; do printf '#!/bin/sh\\necho part %s $1\\n' $i > p/$i; done; chmod +x p/1 p/2; run-parts -a x p; run-parts --test p",
        "",
    ),
    (
        "sed_scripts",
        r#"sed -n '/kernel/{=;p}' words.txt; sed '1!G;h;$!d' words.txt; sed -e 's/\(.\)\(.\)/\2\1/' -e '3,5d' -e '$s/$/ end/' words.txt; sed 'y/abc/xyz/' words.txt; sed '/slot/i\
before' words.txt; sed -s -n '$p' words.txt numbers.txt"#,
        "",
    ),
    (
        "sed_loops",
        r#"seq 12 | sed -n ':a;N;$!ba;s/\n/+/gp'; echo 1234567 | sed ':a;s/\B[0-9]\{3\}\>/,&/;ta'; sed -n '2~3p' words.txt; sed '0,/kernel/s/kernel/FIRST/' words.txt; sed 's/e/E/2' words.txt; seq 5 | sed '2q'; sed --version | head -n 1"#,
        "",
    ),
    (
        "sed_in_place",
        "sed -i 's/kernel/core/g;/badge/d' words.txt; cat words.txt; sed -n 'w out' numbers.txt; cmp out numbers.txt && echo same; sed -E 's/([0-9]+) (.*)/\\2=\\1/' numbers.txt; sed 's/(/x/' none; echo $?; sed 's/a'; echo $?",
        "",
    ),
    ("seq", "seq 3; seq 2 4; seq 10 -4 0; seq -w 8 11; seq -s, 1 5; seq 1 0.5 3; seq 5 1; echo $?; seq x; echo $?", ""),
    ("setsid_and_nohup", "setsid sh -c 'echo in a session of its own'; setsid false; echo $?", ""),
    (
        "sha_check",
        "sha256sum words.txt bytes > s; sha256sum -c s; sha512sum -c none; echo $?; echo 'bad line' | sha1sum -c; echo $?",
        "",
    ),
    (
        "shuf",
        "seq 50 | shuf | sort -n | md5sum; shuf -i 1-20 | sort -n | tail -n 1; shuf -n 3 words.txt | wc -l; shuf -e a a a",
        "",
    ),
    (
        "sort_keys",
        "sort words.txt; sort -r words.txt | head -n 2; sort -u words.txt; sort -n numbers.txt; sort -k2 numbers.txt; sort -t, -k3,3nr -k1 table.csv; sort -c words.txt; echo $?; printf '1k\\n10\\n2M\\n' | sort -h; printf 'b 2\\na 2\\n' | sort -s -k2",
        "",
    ),
    (
        "sort_more",
        "printf 'Jan\\nDec\\nApr\\n' | sort -M; printf 'b\\nA\\na\\n' | sort -f; printf '  x\\na\\n' | sort -b; printf 'b\\0a\\0' | sort -z | od -c; sort -o out words.txt numbers.txt; wc -l out; printf 'v1.10\\nv1.9\\n' | sort -V; sort -m numbers.txt table.csv",
        "",
    ),
    (
        "stat",
        "stat -c '%n %s %a %F %h' words.txt script.sh; stat -c '%n %a %F' dir; ln -s words.txt l; stat -c '%F %N' l; stat -L -c %F l; stat none; echo $?; touch -d '2001-02-03 04:05:06' f; stat -c '%y %Y' f; stat -f -c %n .",
        "",
    ),
    (
        "strings",
        "strings bytes; printf 'ab\\0abcd\\0abcdefgh\\n' > s; strings s; strings -n 8 s; strings -o s; strings -f s bytes",
        "",
    ),
    ("stty_without_terminal", "stty; echo $?; tty; echo $?; tty -s; echo $?", ""),
    ("sync_and_usleep", "sync; echo $?; usleep 1000; echo $?; sleep 0; sleep x; echo $?", ""),
    (
        "tar_lists",
        "tar cf a.tar dir words.txt; tar tf a.tar | sort; mkdir x; tar xf a.tar -C x; diff -r dir x/dir && echo same; tar xOf a.tar words.txt | wc -l; tar tf no-such.tar; echo $?; tar xf a.tar -C x none; echo $?",
        "",
    ),
    (
        "tar_compressed",
        "tar czf a.tgz dir; tar tzf a.tgz | sort; tar cjf a.tbz dir; tar tjf a.tbz | sort; gunzip -c a.tgz | tar tf - | wc -l; mkdir x; tar xjf a.tbz -C x; cat x/dir/file; tar cf - dir | tar xf - -C x; echo $?; tar c dir --exclude deeper; echo $?",
        "",
    ),
    (
        "tar_links_and_modes",
        "mkdir t; cd t; echo f > f; ln f h; ln -s f s; chmod 640 f; cd ..; tar cf a.tar t; rm -r t; tar xf a.tar; stat -c '%a %h %F %n' t/f t/h t/s; readlink t/s; tar tvf a.tar | cut -c 1-10 | sort",
        "",
    ),
    (
        "tee",
        "echo text | tee a b | cat; cat a b; echo more | tee -a a > /dev/null; cat a; echo x | tee dir; echo $?",
        "",
    ),
    (
        "test_operators",
        "for e in '-s words.txt' '-x script.sh' '3 -lt 10' 'abc = abc' '-z x' '! -e none' '-n x -a 1 -eq 1' 'words.txt -nt none' 'a != b -o 1 = 2' '-h words.txt'; do test $e; echo $? $e; done; [ 1 -eq x ]; echo $?; [ a; echo $?",
        "",
    ),
    (
        "time_and_timeout",
        "timeout 5 echo in time; timeout 0.2 sleep 10; echo $?; timeout -s KILL 0.2 sleep 10; echo $?; time -f %C echo x 2>&1",
        "",
    ),
    (
        "touch",
        "touch -d '2011-12-13 14:15:16' f; date -u -r f; touch -r f g; stat -c %Y f g; touch -t 200001020304.05 g; stat -c %y g; touch -c none; ls none; touch dir/none/x; echo $?; touch -d nonsense f; echo $?",
        "",
    ),
    (
        "tr",
        "tr a-z A-Z < words.txt | head -n 2; tr -d aeiou < words.txt | head -n 2; echo aabbccd | tr -s a-c; echo a1b2 | tr -cd '[:digit:]\\n'; echo hello | tr '[:lower:]' '[:upper:]'; tr; echo $?; echo 'a-b' | tr -- '-' '\\t' | od -c",
        "",
    ),
    (
        "truncate",
        "truncate -s 10000 f; stat -c %s f; truncate -s 5 words.txt; cat words.txt; echo; truncate -s 1K f; stat -c %s f; od f | head; truncate -c -s 5 none; echo $?; ls none",
        "",
    ),
    ("ts_and_uptime", "echo line | ts '' | wc -l; uptime | wc -l", ""),
    (
        "uniq",
        "sort words.txt | uniq -c; sort words.txt | uniq -d; sort words.txt | uniq -u; printf 'a 1\\nb 1\\n' | uniq -f 1; printf 'ab\\nac\\n' | uniq -w 1; printf 'A\\na\\n' | uniq -i; uniq none; echo $?",
        "",
    ),
    (
        "uuencode_style",
        "base64 bytes > b; (echo begin-base64 644 u; cat b; echo ====) | uudecode -o u; cmp u bytes && echo same; uuencode bytes name 2>/dev/null; echo $?",
        "",
    ),
    (
        "wc",
        "wc words.txt; wc -l -c table.csv; wc -w < words.txt; wc -L words.txt; printf 'no newline' | wc -l; wc none words.txt; echo $?; cat words.txt | wc -m",
        "",
    ),
    (
        "which_and_whoami",
        "basename $(which sed); which no-such-program; echo $?; for p in which ls; do basename $(which $p); done; test -n \"$(whoami)\"; echo $?",
        "",
    ),
    (
        "xargs",
        "echo a b c d e | xargs -n 2; printf 'a b\\nc\\n' | xargs -I% echo [%]; seq 3 | xargs -t echo 2>&1; printf 'a\\0b c\\0' | xargs -0 -n 1 echo; echo | xargs -r echo none; echo 1 | xargs sh -c 'exit 3'; echo $?; echo x | xargs no-such-program; echo $?; seq 1000 | xargs | wc",
        "",
    ),
    (
        "xxd",
        "xxd bytes; xxd -p bytes; xxd -l 4 -s 2 bytes; xxd -p words.txt | head -n 2; echo 68690a | xxd -r -p; xxd -c 4 bytes",
        "",
    ),
    (
        "xz_and_friends",
        "printf '%s' $X | base64 -d > f.xz; printf '\\375\\067\\172\\130\\132\\000\\000\\004\\346\\326\\264\\106\\002\\000\\041\\001\\026\\000\\000\\000\\164\\057\\345\\243\\001\\000\\004hello\\000\\000\\000' > t.xz; xzcat t.xz 2>&1; echo $?; unxz t.xz; echo $?; printf 'not xz' | unxz; echo $?; printf x > n.lzma; unlzma n.lzma; echo $?",
        "",
    ),
    ("yes_and_head", "yes | head -n 3; yes a b | head -n 2 | tail -n 1", ""),
    (
        "ash_here_documents",
        "x=5; cat <<A; cat <<'B'; cat <<-C\n$x $((x+1)) $(echo sub)\nA\n$x literal\nB\n\ttabs gone $x\n\tC\n",
        "",
    ),
    (
        "ash_strings",
        "s=path/to/file.tar.gz; echo ${s%.*} ${s%%.*} ${s#*/} ${s##*/} ${#s} ${s:5:2} ${s/to/from} ${u:-d} ${u:=e} ${u:+f}; unset u; echo ${u?message}; echo never",
        "",
    ),
    (
        "ash_loops",
        "for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done; i=0; while :; do i=$((i+1)); [ $i -gt 3 ] && break; done; echo $i; until [ $i -eq 0 ]; do i=$((i-1)); done; echo $i; case abc in a?c) echo match;; esac; set -- a 'b c' d; for x; do echo \"<$x>\"; done; shift 2; echo $# $*",
        "",
    ),
    (
        "ash_functions",
        "f() { local x=1; y=2; return 3; }; x=0; f; echo $? $x $y; g() { echo $# $1; [ $1 -gt 0 ] && g $(($1-1)); }; g 3; unset -f g; g; echo $?; type f | head -n 1; command -v cd",
        "",
    ),
    ("ash_errors", "set -e; false || echo went on; ( set -u; echo $undefined; echo never ); echo not reached", ""),
    ("ash_options", "set -x; echo traced; set +x; set -f; echo *; set +f; set -n; echo not run", ""),
    (
        "ash_read",
        "while IFS=: read -r a b c; do echo \"$a|$b|$c\"; done; printf 'x\\\\ty\\n' | { read l; echo $l; }; echo 'a b c' | { read a b; echo $b; }; read none < /dev/null; echo $?",
        "one:two:three:four\n:empty:\nlast",
    ),
    (
        "ash_arithmetic",
        "echo $((3+4*2)) $((2**10)) $((17%5)) $((1<<20)) $((0x1f ^ 5)) $((5>3 && 2<1)) $((-7/2)) $((x=4, x*=3)) $x; let y=x+1; echo $y; echo $((1/0)); echo never",
        "",
    ),
    ("ash_syntax_error", "echo before; if true; then echo x; done", ""),
    (
        "ash_eval_and_source",
        "v=name; eval $v=value; echo $name; echo 'sourced=$1; return 4' > s; . ./s arg; echo $? $sourced; alias ll=echo; trap 'echo bye' EXIT; (exit 9); echo $?",
        "",
    ),
    (
        "ash_script_with_arguments",
        "printf '%s\\n' '#!/bin/sh' 'while getopts ab:c o; do echo \"$o $OPTARG\"; done' 'shift $((OPTIND-1)); echo \"$@\"' > s; chmod +x s; ./s -a -b val -c x y; ./s -z; echo $?",
        "",
    ),
];

/// What it is about, name, script, standard input.
pub const HARD: &[(Strain, &str, &str, &str)] = &[
    (
        Strain::Pipe,
        "ten_stages",
        "seq 1 5000 | cat | tac | sort -n | sed 's/$/x/' | grep 9x | tr x y | rev | cut -c 2- | rev | tail -n 1",
        "",
    ),
    (
        Strain::Pipe,
        "word_count",
        "cat words.txt numbers.txt table.csv | tr -cs 'a-z0-9' '\\n' | sort | uniq -c | sort -rn -k1 -k2 | awk '{ print $2, $1 }' | head -n 5",
        "",
    ),
    (
        Strain::Pipe,
        "status_of_the_last",
        "false | true; echo $?; true | false; echo $?; set -o pipefail; false | true; echo $?; ! true | false; echo $?",
        "",
    ),
    (Strain::Pipe, "fifo_between_two", "mkfifo p; (seq 1 1000 > p) & sort -rn < p | head -n 2; wait; rm p", ""),
    (
        Strain::Pipe,
        "fifo_both_ways",
        "mkfifo a b; (while read n; do echo $((n * n)); done < a > b) & exec 3> a 4< b; for i in 3 5 7; do echo $i >&3; read r <&4; echo $r; done; exec 3>&-; wait; echo $?",
        "",
    ),
    (Strain::Pipe, "tee_into_two", "mkfifo p; md5sum < p > m & seq 20000 | tee p | wc -l; wait; cat m", ""),
    (
        Strain::Pipe,
        "find_into_xargs",
        "mkdir t; for i in $(seq 60); do echo $i > t/f$i; done; find t -type f | xargs -n 7 cat | sort -n | md5sum; find t -type f -print0 | xargs -0 grep -l 5 | wc -l",
        "",
    ),
    (
        Strain::Pipe,
        "tar_through_pipes",
        "mkdir t u; for i in $(seq 30); do seq $i > t/$i; done; tar cf - t | gzip | gunzip | tar xf - -C u; diff -r t u/t && echo same",
        "",
    ),
    (
        Strain::Pipe,
        "cpio_through_pipes",
        "find . -type f | sort | cpio -o -H newc 2>/dev/null | gzip -c | zcat | cpio -t 2>/dev/null",
        "",
    ),
    (
        Strain::Pipe,
        "errors_into_a_pipe",
        "{ ls none; echo out; echo err >&2; } 2>&1 >/dev/null | sort; { ls none 2>&1 1>&3 | sed 's/^/E: /'; } 3>&1",
        "",
    ),
    (
        Strain::Pipe,
        "background_writers",
        "for i in 1 2 3 4; do (seq $((i*1000)) $((i*1000+500))) & done | sort -n | md5sum; wait",
        "",
    ),
    (Strain::Pipe, "closed_reader", "yes | head -n 1; (seq 1 100000; echo $? >&2) | head -n 1", ""),
    (
        Strain::Pipe,
        "substitution_of_a_lot",
        "x=$(seq 1 20000); echo ${#x}; y=$(seq 1 3000 | tr '\\n' ' '); set -- $y; echo $# $3000",
        "",
    ),
    (
        Strain::Pipe,
        "loop_that_reads",
        "seq 1 300 | while read n; do [ $((n % 100)) = 0 ] && echo $n; done; i=0; seq 1 200 | { while read n; do i=$((i + n)); done; echo $i; }",
        "",
    ),
    (
        Strain::Pipe,
        "dd_from_a_pipe",
        "(printf abc; sleep 0.2; printf def) | dd bs=6 count=1 iflag=fullblock 2>/dev/null; echo; (printf abc; sleep 0.2; printf def) | dd bs=6 count=1 2>/dev/null; echo",
        "",
    ),
    (
        Strain::Signal,
        "trap_and_kill",
        "trap 'echo usr1' USR1; trap 'echo term' TERM; kill -USR1 $$; kill -TERM $$; trap - TERM; trap '' HUP; kill -HUP $$; echo alive; trap; kill -TERM $$; echo never",
        "",
    ),
    (
        Strain::Signal,
        "statuses_of_the_killed",
        "for s in HUP KILL TERM USR1 ALRM PIPE; do sh -c \"kill -$s \\$\\$\" 2>/dev/null; echo $s $?; done",
        "",
    ),
    (
        Strain::Signal,
        "wait_for_many",
        "for i in 1 2 3; do sh -c \"exit $i\" & p=\"$p $!\"; done; for q in $p; do wait $q; echo $?; done; wait 999999; echo $?",
        "",
    ),
    (
        Strain::Signal,
        "wait_interrupted_by_a_trap",
        "trap 'echo caught' USR1; (sleep 0.3; kill -USR1 $$) & wait $!; s=$?; wait; echo after $((s == 0 || s > 128))",
        "",
    ),
    (
        Strain::Signal,
        "stop_and_go_on",
        "sleep 0.2; (sleep 1; echo slept) & p=$!; sleep 0.2; kill -STOP $p; sleep 0.2; kill -0 $p && echo still there; grep State /proc/$p/status | cut -c 8; kill -CONT $p; wait $p; echo $?",
        "",
    ),
    (
        Strain::Signal,
        "killed_while_it_waits",
        "cat < /dev/zero > /dev/null & p=$!; sleep 0.1; kill -9 $p; wait $p 2>/dev/null; echo $?; mkfifo f; cat f & p=$!; sleep 0.1; kill $p; wait $p 2>/dev/null; echo $?",
        "",
    ),
    (
        Strain::Signal,
        "timeouts",
        "timeout -s ALRM 0.3 sleep 20; echo $?; timeout 0.3 sh -c 'trap \"echo told; exit 7\" TERM; while :; do sleep 0.05; done'; echo $?",
        "",
    ),
    (
        Strain::Signal,
        "trap_at_exit",
        "sh -c 'trap \"echo left\" EXIT; exit 3'; echo $?; sh -c 'trap \"echo left by a signal; exit 1\" TERM; kill $$; sleep 1'; echo $?; (trap 'echo sub' EXIT; echo in); trap 'echo outer' EXIT",
        "",
    ),
    (
        Strain::Signal,
        "kill_by_job",
        "sleep 30 & sleep 30 & { kill %1 %2; wait %1; } 2> /dev/null; echo $?; wait 2> /dev/null; kill -l 9; kill -l 15; kill -0 $$; echo $?; kill -FOO $$; echo $?; kill -l | head -n 1",
        "",
    ),
    (
        Strain::Signal,
        "to_a_group",
        "setsid sh -c 'trap \"echo first\" USR1; sh -c \"trap \\\"echo second; exit 0\\\" USR1; kill -USR1 0; sleep 1\"; wait; echo end'; echo $?",
        "",
    ),
    (Strain::Terminal, "settings", "./onterminal tty-settings.steps busybox sh", ""),
    (Strain::Terminal, "vi_commands", "./onterminal vi.steps busybox vi words.txt; cat words.txt", ""),
    (Strain::Terminal, "less_pages", "seq 200 > s; ./onterminal less.steps busybox less s", ""),
    (Strain::Terminal, "top_once", "./onterminal top.steps busybox top", ""),
    (Strain::Terminal, "shell_editing", "./onterminal editing.steps busybox sh", ""),
    (Strain::Terminal, "shell_jobs", "./onterminal jobs.steps busybox sh", ""),
    (
        Strain::Large,
        "sort_two_megabytes",
        "seq 300000 -1 1 > big; sort -n big | md5sum; sort big | tail -n 1; wc big; sort -u big | wc -l",
        "",
    ),
    (
        Strain::Large,
        "gzip_two_megabytes",
        "seq 300000 > big; gzip big; stat -c %s big.gz; gunzip -c big.gz | md5sum; zcat big.gz | tail -n 1",
        "",
    ),
    (
        Strain::Large,
        "bzip2_two_megabytes",
        "seq 200000 > big; bzip2 -k big; stat -c %s big.bz2; bzcat big.bz2 | cmp - big && echo same",
        "",
    ),
    (
        Strain::Large,
        "sums_of_four_megabytes",
        "seq 600000 > big; md5sum big; sha1sum big; sha256sum < big; crc32 big; base64 big | md5sum",
        "",
    ),
    (
        Strain::Large,
        "copies_and_comparison",
        "seq 500000 > a; cp a b; cmp a b && echo same; dd if=/dev/zero of=b bs=1 seek=2000000 count=1 conv=notrunc 2>/dev/null; cmp a b; diff a b | wc -l; cat a b | wc -c",
        "",
    ),
    (
        Strain::Large,
        "cut_and_join",
        "seq 400000 > a; for i in 0 1 2 3 4 5 6 7 8 9; do dd if=a of=p$i bs=300k skip=$i count=1 2>/dev/null; done; cat p? | cmp - a && echo same; tail -c 100000 a | md5sum; head -c 1500000 a | md5sum",
        "",
    ),
    (
        Strain::Large,
        "holes",
        "truncate -s 8M h; stat -c '%s %b' h; printf end | dd of=h bs=1 seek=5000000 conv=notrunc 2>/dev/null; test $(stat -c %b h) -lt 100; echo $?; tail -c +5000001 h | head -c 3; md5sum h; du -k h | cut -f 1 | xargs test 100 -gt; echo $?",
        "",
    ),
    (
        Strain::Large,
        "awk_over_megabytes",
        "seq 200000 > big; awk '{ s += $1; if (length($1) == 6) n++ } END { printf \"%.0f %d\\n\", s, n }' big; sed -n '$=' big; grep -c 77 big; tr 0-4 5-9 < big | md5sum; rev big | md5sum",
        "",
    ),
    (
        Strain::Large,
        "tar_of_megabytes",
        "mkdir t; seq 200000 > t/a; cp t/a t/b; tar cf a.tar t; stat -c %s a.tar; rm -r t; tar xf a.tar; cmp t/a t/b && wc -l t/b; tar czf a.tgz t; tar tzf a.tgz | sort",
        "",
    ),
    (
        Strain::Large,
        "through_a_pipe",
        "dd if=/dev/zero bs=64k count=64 2>/dev/null | tr '\\0' a | wc -c; seq 400000 | cat | tac | head -n 1; yes abcdefg | head -c 3000000 | md5sum",
        "",
    ),
];

/// An `ar` archive of two small files, as uudecode reads it.
const LIBRARY: &str = "begin-base64 644 lib.a
ITxhcmNoPgpvbmUvICAgICAgICAgICAgMCAgICAgICAgICAgMCAgICAgMCAgICAgNjQ0ICAgICA2
ICAgICAgICAgYApmaXJzdAp0d28vICAgICAgICAgICAgMCAgICAgICAgICAgMCAgICAgMCAgICAg
NjQ0ICAgICA3ICAgICAgICAgYApzZWNvbmQKCg==
====
";
