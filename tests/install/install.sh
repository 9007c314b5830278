#!/bin/sh
# Installs a build into a scratch folder and uses it as strangers would: through pkg-config, through the CMake
# package, and by running the program.
#
#   install.sh SOURCE BUILD MODEL COMPILER [FLAG...]     FLAGs go to every compilation (-fsanitize=...)
set -eu
source=$1 build=$2 model=$3 compiler=$4
shift 4
flags="$*"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

fail() { echo "$*" >&2; exit 1; }

cmake --install "$build" --prefix "$prefix" >"$work/installed"
library=$(dirname "$(find "$prefix" -name libcanonnx.a)")
export PKG_CONFIG_PATH="$library/pkgconfig" LD_LIBRARY_PATH="$library"
# The program has to be the installed one, and to say of itself what pkg-config says of the library.
version=$("$prefix/bin/canonnx" --version)
[ "$version" = "canonnx $(pkg-config --modversion canonnx)" ] || fail "the program says it is '$version'"
expected=$("$prefix/bin/canonnx" symmetry --quiet "$model")

for file in include/canonnx.h share/man/man1/canonnx.1; do
    [ -s "$prefix/$file" ] || fail "$file is not installed"
done

# expect PROGRAM WHAT: runs it on the model and compares its line with the program's.
expect() {
    line=$("$1" "$model") || fail "$2: exit $?"
    [ "$line" = "$expected" ] || fail "$2: got '$line', expected '$expected'"
}

# Strict, because the header has to be clean in other people's code.
strict="-std=c17 -pedantic -Wall -Wextra -Werror"
# shellcheck disable=SC2086,SC2046  # flags are split on purpose
{
    $compiler $strict $flags $(pkg-config --cflags canonnx) "$source/tests/install/consumer.c" -o "$work/shared" \
        $(pkg-config --libs canonnx)
    $compiler $strict $flags $(pkg-config --cflags canonnx) "$source/tests/install/consumer.c" -o "$work/static" \
        "$library/libcanonnx.a" $(pkg-config --libs-only-l --static canonnx | sed 's/-lcanonnx//')
}
expect "$work/shared" "pkg-config, shared library"
expect "$work/static" "pkg-config, static library"

cmake -S "$source/tests/install" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$compiler" \
    -DCMAKE_C_FLAGS="$flags" >"$work/configured" || fail "$(cat "$work/configured")"
cmake --build "$work/build" >"$work/built" || fail "$(cat "$work/built")"
expect "$work/build/consumer_shared" "CMake package, shared library"
expect "$work/build/consumer_static" "CMake package, static library"
