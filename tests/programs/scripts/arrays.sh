# What the shells of the Korn family add: arrays, [[ ]], (( )), here-strings, local variables, job control.
# zsh is told to number arrays from zero and to split words, as the others do.
[ -n "$ZSH_VERSION" ] && emulate -R ksh

part() { echo "== $1"; }

part arrays
list=(alpha beta 'gamma delta' epsilon)
echo ${#list[@]} "${list[0]}" "${list[2]}" "${list[@]}"
list+=(zeta)
list[7]=far
echo ${#list[@]} "${list[7]}" "${!list[@]}" | wc -w
unset 'list[1]'
for element in "${list[@]}"; do echo "<$element>"; done
sieve=()
i=1; while ((++i < 100)); do sieve[$i]=1; done
i=1
while ((++i * i < 100)); do
    if ((sieve[i])); then
        ((j = i * i))
        while ((j < 100)); do sieve[$j]=0; ((j += i)); done
    fi
done
primes=
i=1; while ((++i < 100)); do ((sieve[i])) && primes="$primes $i"; done
echo $primes

part sorting
numbers=(17 3 99 -4 42 8 0 23)
n=${#numbers[@]}
i=-1
while ((++i < n)); do
    j=-1
    while ((++j < n - i - 1)); do
        if ((numbers[j] > numbers[j + 1])); then
            t=${numbers[j]}
            numbers[$j]=${numbers[j + 1]}
            numbers[$((j + 1))]=$t
        fi
    done
done
echo "${numbers[@]}"

part conditions
file=words.txt
[[ -f $file && ! -d $file ]] && echo a file
[[ $file == *.txt ]] && echo a text
[[ abc < abd ]] && echo less
[[ -z '' && -n x || -e none ]] && echo logic
((5 > 3 && 2 + 2 == 4)) && echo sums
if [[ $file != w* ]]; then echo never; elif [[ 3 -lt 10 ]]; then echo elif; fi

part words
read -r first second <<< 'from a string'; echo "$second"
echo $'tab\there' $'\x41\102'
text='a banana and an ananas'
echo "${text/an/AN}" "${text//an/AN}" "${text:2:6}" "${text: -6}"
typeset -i whole=7; whole=whole*6; echo $whole
typeset -r constant=5; (constant=6) 2> /dev/null || echo constant

part local variables
depth=0
deeper() {
    typeset depth=$1
    ((depth < 4)) && deeper $((depth + 1))
    echo "depth $depth"
}
deeper 1; echo outside $depth

part functions and arrays
reverse() {
    typeset -a out
    typeset word
    for word in "$@"; do out=("$word" "${out[@]}"); done
    echo "${out[@]}"
}
reverse one two three four
join() { typeset IFS=$1; shift; echo "$*"; }
join , a b c

part reading
count=0
while read -r line; do
    ((count++))
    lines[$count]=$line
done < words.txt
echo $count "${lines[3]}" "${lines[10]}"
while IFS=, read -r name year words; do
    [[ $year == [0-9]* ]] && echo "$name:$((year / 10)):$words"
done < table.csv

part traps
catch() { caught="$caught $1"; }
for signal in USR1 USR2 HUP TERM; do trap "catch $signal" $signal; done
for signal in HUP USR2 TERM USR1 USR2; do kill -$signal $$; done
echo $caught
trap - USR1 USR2 HUP TERM
(trap 'echo bye' EXIT; exit 2); echo $?
waiting() { trap 'echo interrupted; exit 5' TERM; while :; do sleep 0.05; done; }
waiting & child=$!
sleep 0.3; kill -TERM $child; wait $child; echo $?

part jobs
# Without a terminal zsh has no job control.
if [ -z "$ZSH_VERSION" ]; then
    set -m
    sleep 30 & sleep 31 &
    sleep 0.2; jobs | wc -l
    { kill %1; wait %1; } 2> /dev/null; echo ended
    { kill -STOP %2; sleep 0.2; } 2> /dev/null; jobs | grep -c -i -e stopped -e suspended
    # mksh doesn't wait for a job that it takes for a stopped one still, so it has to have ended by then.
    { kill -CONT %2; sleep 0.2; kill -KILL %2; sleep 0.2; wait %2; } 2> /dev/null; echo killed
    set +m
fi

part select and case
select answer in yes no; do echo "chose $answer"; break; done 2> /dev/null <<< 2
for word in Apple banana 7up _x; do
    case $word in
    [A-Z]*) echo capital;;
    [a-z]*) echo small;;
    [0-9]*) echo digit;;
    *) echo other;;
    esac
done
printf '%s|%5d|%-5s|%05.1f\n' text 42 left 3.14159
exit 11
