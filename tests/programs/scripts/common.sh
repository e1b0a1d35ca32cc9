# What every shell of the POSIX family understands, in one long script. Each part prints what it did; nothing that is
# printed depends on the machine, on process ids or on time.

[ -n "${ZSH_VERSION-}" ] && emulate sh
part() { echo "== $1"; }

part arithmetic
sum=0 i=0
while [ $i -lt 200 ]; do
    i=$((i + 1))
    [ $((i % 3)) -eq 0 ] && continue
    sum=$((sum + i * i))
done
echo $sum $((sum % 97)) $((-17 / 5)) $((-17 % 5)) $((1 << 16 | 5)) $((0x2f ^ 021)) $((3 > 2 ? 10 : 20))

part functions
factorial() {
    if [ "$1" -le 1 ]; then echo 1; else echo $(($1 * $(factorial $(($1 - 1))))); fi
}
factorial 12
status() { return "$1"; }
for s in 0 1 42 255; do status $s; echo $?; done
hanoi() {
    [ "$1" -eq 0 ] && return
    hanoi $(($1 - 1)) "$2" "$4" "$3"
    moves="$moves $2$3"
    hanoi $(($1 - 1)) "$4" "$3" "$2"
}
moves= ; hanoi 5 a b c; echo $moves | wc -w; echo $moves | cut -c 1-29

part subshells
x=outer
(x=inner; cd dir; echo $x "$(ls | tr '\n' ' ')"; exit 9)
echo $? $x $(basename "$(pwd)" | wc -w)
( ( (exit 3); echo $?; exit 4 ); echo $?; exit 5 ); echo $?
y=$(echo one; exit 7); echo $? "$y"

part strings
file=/usr/local/lib/libx.so.1
echo ${file##*/} ${file%/*} ${file%%.*} ${file#*/} ${#file} ${none:-default} ${x:+set} "${none-}"
set -- 'a b' c "d  e"
echo $# "$1" "$*"
for word in "$@"; do echo "<$word>"; done
IFS=:; set -- $(echo p:q:r); unset IFS; echo $2 $#
case libx.so.1 in *.so) echo no;; *.so.[0-9]) echo so;; *) echo other;; esac

part here documents
cat <<END | sed 's/^/| /'
$x and $((6 * 7)) and $(echo a command) and \$x
	a tab
END
cat <<'END'
$x stays $(as it is)
END
cat <<-END
	without its tab
	END
while read -r number name rest; do echo "$name=$number$rest"; done < numbers.txt
total=0
while read -r number _; do total=$((total + number)); done <<END
1 a
20 b
300 c
END
echo $total

part pipes
seq 1 1000 | while read -r n; do case $n in *99) echo $n;; esac; done | tail -n 2
seq 1 5000 | sort -rn | sed -n '1p;$p' | tr '\n' ' '; echo
{ echo to output; echo to errors >&2; } 2>&1 | sort
yes | head -n 4 | uniq -c | tr -s ' '
if echo text | grep -q nothing; then echo found; else echo not found; fi
exec 5> five; echo through five >&5; exec 5>&-; cat five
exec 6< numbers.txt; read -r a <&6; read -r b <&6; exec 6<&-; echo "$b, $a"

part signals
trap 'echo caught USR1' USR1
kill -USR1 $$
trap '' TERM; kill -TERM $$; echo TERM was ignored; trap - TERM
( trap 'echo leaving the subshell' EXIT; echo inside; exit 6 ); echo $?
sh -c 'trap "echo told to end; exit 21" TERM; kill -TERM $$; sleep 5'; echo $?
sleep 50 & victim=$!; sleep 0.2
{ kill -TERM $victim; wait $victim; } 2> /dev/null; echo $?
sleep 50 & victim=$!; sleep 0.2
{ kill -KILL $victim; wait $victim; } 2> /dev/null; echo $?
{ sh -c 'kill -ALRM $$'; } 2> /dev/null; echo $?
(sleep 0.3; kill -USR1 $$) &
wait; wait; echo helper done

part background
for n in 5 3 9 1; do (echo $((n * n)) > square.$n; exit $n) & all="$all $!"; done
for child in $all; do wait $child; echo $?; done
cat square.* | sort -n | tr '\n' ' '; echo
wait; echo $?

part FIFOs
mkfifo requests answers
while read -r a op b; do echo "$a $op $b = $(expr "$a" "$op" "$b")"; done < requests > answers &
exec 3> requests 4< answers
for request in '1 + 2' '10 - 4' '81 / 9' '17 % 5'; do
    echo "$request" >&3
    read -r answer <&4
    echo "$answer"
done
exec 3>&- 4<&-
wait; rm requests answers

part files
mkdir -p tree/a/b tree/c
for n in $(seq 1 40); do echo $n > tree/a/b/f$n; done
find tree -type f | xargs cat | sort -n | tail -n 1
find tree -name 'f[12]?' | wc -l
find tree -type f -print0 | xargs -0 -n 11 echo | wc -l
for file in tree/a/b/f[1-3]; do mv "$file" tree/c; done; echo tree/c/*
[ -d tree/c ] && [ ! -e tree/none ] && [ -s tree/c/f1 ] && echo tests
umask 077; : > private; ls -l private | cut -c 1-10; umask 022
ln -s ../words.txt tree/link; cat tree/link | head -n 1; rm -r tree; ls -d tree 2> /dev/null || echo gone
cd dir && cat file && cd .. && cat dir/../numbers.txt | head -n 1

part options
set -f; echo *.txt; set +f; echo *.txt
(set -e; echo first; false; echo never); echo $?
(set -u; echo "$undefined_name") 2> /dev/null || echo refused
while getopts ab:c letter -a -b value -c rest; do echo "$letter ${OPTARG:-none}"; done
eval 'made=$((2 * 21))'; echo $made
echo 'echo sourced $1 $x; x=changed' > piece; set -- argument; . ./piece; echo $x
unset x; echo ${x-unset}; readonly fixed=1; (fixed=2) 2> /dev/null || echo read-only
trap 'echo the end; exit 17' EXIT
no_such_command_at_all 2> /dev/null; echo $?
exit 3
