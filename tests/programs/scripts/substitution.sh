# Process substitution, coprocesses as FIFOs, pipe statuses: what bash and zsh have beyond the Korn shell. And all of it at once.
[ -n "$ZSH_VERSION" ] && emulate -R ksh

part() { echo "== $1"; }

part process substitution
diff <(sort words.txt) <(sort -u words.txt); echo $?
paste <(seq 1 3) <(seq 11 13) <(seq 21 23)
cat <(echo first) <(echo second) - <<< third
while read -r n; do last=$n; done < <(seq 1 500); echo "$last"
seq 1 100 | tee >(wc -l > counted) > /dev/null; sleep 0.5; cat counted
comm_of() { sort -u "$1" > one; sort -u "$2" > two; cat one two | sort | uniq -d; }
comm_of <(printf 'a\nb\nc\n') <(printf 'b\nc\nd\n')
wc -c < <(head -c 200000 /dev/zero)

part nested substitution
echo "$(echo "$(echo "$(echo deep)" er)" est)"
cat <(cat <(cat <(echo three levels)))
value=$(
    # A comment within.
    for i in 1 2 3; do
        echo "item $i"
    done | tac
)
echo "$value"

part associative arrays
typeset -A year
year[nucleus]=1969 year[mach]=1985 year[l4]=1993
for name in nucleus mach l4; do echo "$name ${year[$name]}"; done
echo ${#year[@]}
typeset -A histogram
while read -r word; do histogram[$word]=$((${histogram[$word]:-0} + 1)); done < words.txt
for word in kernel thread slot; do echo "$word ${histogram[$word]}"; done

part workers
# Four workers take numbered tasks from a FIFO and answer through another; results are in order of their numbers.
mkfifo results
worker() {
    typeset task
    for task in "$@"; do
        echo "$task $((task * task * task))"
    done
}
(
    worker 1 5 9 13 &
    worker 2 6 10 14 &
    worker 3 7 11 15 &
    worker 4 8 12 16 &
    wait
) > results &
sort -n results | tr '\n' ';'; echo
wait; rm results

part signals between processes
mkfifo ready
child() {
    typeset n=0
    trap 'n=$((n + 1))' USR1
    trap 'echo "counted $n"; exit $n' TERM
    echo up > ready
    while :; do sleep 0.02; done
}
child & pid=$!
read -r state < ready; echo $state
for i in 1 2 3; do kill -USR1 $pid; sleep 0.2; done
kill -TERM $pid; wait $pid; echo $?
rm ready

part a small interpreter
stack=()
run() {
    typeset token
    for token in $1; do
        case $token in
        [0-9]*) stack+=($token);;
        +|-|x|/)
            typeset top=$((${#stack[@]} - 1))
            typeset b=${stack[$top]} a=${stack[$((top - 1))]}
            unset "stack[$top]"; unset "stack[$((top - 1))]"
            stack=(${stack[@]})
            case $token in
            +) stack+=($((a + b)));;
            -) stack+=($((a - b)));;
            x) stack+=($((a * b)));;
            /) stack+=($((a / b)));;
            esac;;
        esac
    done
    echo "$1 = ${stack[0]}"; stack=()
}
run '3 4 + 2 x'
run '100 7 / 3 -'
run '2 3 4 5 x x x'

part descriptors
exec {out}> made; echo written >&$out; exec {out}>&-; cat made
{ echo a; echo b >&2; } 2> errors > output; cat errors output
echo both &> both; cat both
mkdir -p deep/er; pushd deep/er > /dev/null; basename "$PWD"; popd > /dev/null; rm -r deep
x=5; x+=6; echo $x; ((x += 4)); echo $x
printf -v formatted '%03d' 7 2> /dev/null && echo $formatted
for i in {1..5} {a..c}; do printf '%s ' $i; done; echo
time_limit() { ( sleep 5 & wait ) & typeset p=$!; sleep 0.1; kill -TERM $p; wait $p; echo $?; }
time_limit
trap 'echo last words' EXIT
false | true | (exit 3); echo $?
set -o pipefail; (exit 4) | true; echo $?
exit 12
