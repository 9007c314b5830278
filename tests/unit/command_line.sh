#!/bin/sh
# The command line of every command: what it refuses and how, help, exit codes, output that cannot be written.
#
#   command_line.sh PROGRAM MODEL
set -u
program=$1 model=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

complain() { echo "FAILED: $*"; failed=1; }

# run ARGUMENT...: leaves status, $work/out and $work/err.
run() {
    "$program" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
}

# refuses LINE ARGUMENT...: exit 2, exactly this line on standard error, nothing on standard output.
refuses() {
    line=$1
    shift
    run "$@"
    [ $status -eq 2 ] || complain "canonnx $*: exit $status"
    [ ! -s "$work/out" ] || complain "canonnx $*: standard output: $(cat "$work/out")"
    printf '%s\n' "$line" | cmp -s - "$work/err" || complain "canonnx $*: $(cat "$work/err") (expected: $line)"
}

# succeeds ARGUMENT...: exit 0, something on standard output, nothing on standard error.
succeeds() {
    run "$@"
    [ $status -eq 0 ] || complain "canonnx $*: exit $status: $(cat "$work/err")"
    [ -s "$work/out" ] || complain "canonnx $*: nothing on standard output"
    [ ! -s "$work/err" ] || complain "canonnx $*: standard error: $(cat "$work/err")"
}

refuses "canonnx: a command is missing (canonnx --help lists them)"
refuses "canonnx: unknown command 'insepct', did you mean 'inspect'?" insepct "$model"
refuses "canonnx: unknown command 'sym', did you mean 'symmetry'?" sym
refuses "canonnx: unknown command 'transmogrify' (canonnx --help lists them)" transmogrify
refuses "canonnx inspect: an argument is missing (usage: canonnx inspect MODEL)" inspect
refuses "canonnx inspect: unexpected argument 'b' (usage: canonnx inspect MODEL)" inspect a b
refuses "canonnx inspect: unknown option '--jsno', did you mean '--json'?" inspect --jsno "$model"
refuses "canonnx inspect: unknown option '--frobnicate'" inspect "$model" --frobnicate
refuses "canonnx inspect: unknown option '-x'" inspect -qx "$model"
refuses "canonnx inspect: unknown option '-x'" inspect -xq "$model"
refuses "canonnx inspect: option '--all' takes no value" inspect --all=yes "$model"
refuses "canonnx inspect: --color=red: expected auto, always or never" inspect --color=red "$model"
refuses "canonnx symmetry: --format=xml: expected perm-spec" symmetry --format=xml "$model"
refuses "canonnx bound: --epsilon=0: expected a number above 0" bound --epsilon=0 "$model"
refuses "canonnx bound: --parameter-bound=much: expected a number above 0" bound --B much "$model"
refuses "canonnx canon: option -o is missing (usage: canonnx canon MODEL -o OUT)" canon "$model"
refuses "canonnx canon: option '-o' needs a value (OUT)" canon "$model" -o
refuses "canonnx canon: option '--passes' needs a value (LIST)" canon "$model" -o "$work/m.onnx" --passes
refuses 'canonnx canon: there is no pass "sparkle" (canonnx list passes shows them)' \
    canon "$model" -o "$work/m.onnx" --passes=dead,sparkle
refuses "canonnx canon: --output=-: a model is not written to standard output: name a file" canon "$model" -o -
refuses "canonnx sample: option --seed is missing (usage: canonnx sample MODEL --seed=N -o OUT)" \
    sample "$model" -o "$work/m.onnx"
refuses "canonnx sample: --seed=-1: expected a whole number from 0 to 18446744073709551615" \
    sample "$model" --seed=-1 -o "$work/m.onnx"
refuses "canonnx diff: an argument is missing (usage: canonnx diff A B)" diff "$model"
refuses "canonnx diff: --tolerance=-1: expected a number that is not negative" diff --tolerance=-1 "$model" "$model"
refuses "canonnx diff: standard input can be only one of the models" diff - -
refuses "canonnx: $work/missing.onnx: cannot open the file: No such file or directory" diff "$model" "$work/missing.onnx"
refuses "canonnx: $work/missing.onnx: cannot open the file: No such file or directory" diff "$work/missing.onnx" "$model"
refuses "canonnx apply: option --witness is missing (usage: canonnx apply MODEL --witness=W -o OUT)" \
    apply "$model" -o "$work/m.onnx"
echo "{}" >"$work/w.json"
refuses "canonnx: $work/w.json: no witness (expected what canonnx diff --witness writes)" \
    apply "$model" --witness="$work/w.json" -o "$work/m.onnx"
refuses "canonnx text: --weights=all: expected digest, none or values" text "$model" --weights=all
refuses "canonnx list: unknown table 'limit', did you mean 'limits'?" list limit
[ ! -e "$work/m.onnx" ] || complain "a refused command wrote a file"

succeeds --help
succeeds --version
for command in inspect symmetry bound canon hash diff apply text sample list; do
    grep -q "^  canonnx $command " <<END || complain "canonnx --help does not list $command"
$("$program" --help)
END
    succeeds "$command" --help
done
for table in ops passes limits; do
    succeeds list $table
    succeeds list $table --json
    succeeds list $table --quiet
done

# A report that could not be written whole is an error, also when it is short.
for command in inspect symmetry bound hash text; do
    for form in --quiet --json --color=always; do
        succeeds $command $form "$model"
        "$program" $command $form "$model" >/dev/full 2>"$work/err"
        [ $? -eq 2 ] || complain "$command $form > /dev/full: not exit 2"
        [ "$(cat "$work/err")" = "canonnx: standard output: No space left on device" ] ||
            complain "$command $form > /dev/full: $(cat "$work/err")"
        "$program" $command $form "$model" >&- 2>"$work/err"
        [ $? -eq 2 ] || complain "$command $form >&-: not exit 2"
    done
done

# Commands that write a file say nothing with --quiet, so a closed standard output does not matter.
for command in canon "sample --seed=1"; do
    # shellcheck disable=SC2086
    "$program" $command --quiet "$model" -o "$work/m.onnx" >&- 2>"$work/err" || complain "$command --quiet: $(cat "$work/err")"
    # shellcheck disable=SC2086
    succeeds $command "$model" -o "$work/m.onnx"
done

# One bad model does not stop the others.
run hash "$work/missing.onnx" "$model"
[ $status -eq 2 ] || complain "hash with a missing model: exit $status"
[ "$(wc -l <"$work/out")" -eq 1 ] || complain "hash with a missing model: $(cat "$work/out")"
[ "$(cat "$work/err")" = "canonnx: $work/missing.onnx: cannot open the file: No such file or directory" ] ||
    complain "hash with a missing model: $(cat "$work/err")"

# Axes to explain: names of the model, their beginnings, and what is neither.
axis="canonnx: $model: "
refuses "${axis}there is no tensor \"1.weigth\" (did you mean \"1.weight\"?)" symmetry "$model" --explain 1.weigth:0
refuses "${axis}there is no tensor \"zzzzzzzzz\" (canonnx symmetry --all lists the parameters)" \
    symmetry "$model" --explain zzzzzzzzz:0
refuses "${axis}which axis of \"1.weight\"? (expected 1.weight:0 or another)" symmetry "$model" --explain 1.weight
refuses "${axis}\"1.weight\" has no axis 2 (it has 2)" symmetry "$model" --explain 1.w:2
refuses "${axis}\"1.weight\" has no axis -3 (it has 2)" symmetry "$model" --explain 1.weight:-3
refuses "${axis}1.weight:0 has no position 48 (it has 48)" symmetry "$model" --explain 1.weight:0[48]
refuses "${axis}2 tensors begin with \"1.\" (expected one's whole name, such as \"1.weight\")" \
    symmetry "$model" --explain 1.:0
refuses "canonnx symmetry: --explain: expected NAME:AXIS[POSITION], the axis and the position as numbers" \
    symmetry "$model" --explain 'weight[2]'
refuses "canonnx symmetry: --explain=x: expected one axis or two" symmetry "$model" --explain a --explain b --explain x
succeeds symmetry "$model" --explain 1.w:-2[47] --explain 3.weight:1

# Colours: never to a pipe by itself; NO_COLOR does not overrule --color=always.
escape=$(printf '\033')
run symmetry "$model"
! grep -q "$escape" "$work/out" || complain "colours without a terminal"
export NO_COLOR=1
run symmetry --color=always "$model"
grep -q "$escape" "$work/out" || complain "--color=always without colours"
for COLUMNS in 80 100 150; do
    export COLUMNS
    for command in inspect symmetry bound; do
        run $command "$model"
        awk -v width=$COLUMNS 'length($0) > width { exit 1 }' "$work/out" || complain "$command: wider than $COLUMNS"
    done
    run symmetry "$model" --explain 1.weight:0
    awk -v width=$COLUMNS 'length($0) > width { exit 1 }' "$work/out" || complain "--explain: wider than $COLUMNS"
done

exit $failed
