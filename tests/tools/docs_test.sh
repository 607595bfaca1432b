#!/bin/sh
# docs_test: docs/recipe.md and docs/ops.md are what the descriptors say; every local link of the documents leads somewhere.
#
#     docs_test.sh SOURCE_FOLDER SCRATCH_FOLDER BUILD_FOLDER
# shellcheck disable=SC2016 # backquotes of Markdown
set -eu
source=$1
bad=0
mkdir -p "$2"
"$source/tools/docs" "$3" --check || bad=1

# Links, and names in backquotes that look like files of this repository.
for file in "$source"/README.md "$source"/docs/*.md; do
    folder=$(dirname "$file")
    for link in $(sed -n 's/](\([^)]*\))/\n&\n/gp' "$file" | sed -n 's/^](\([^)#]*\).*)$/\1/p' | grep -v '://' || true); do
        [ -e "$folder/$link" ] || { echo "$file: nothing lies at $link"; bad=1; }
    done
    for path in $(grep -oE '`(src|cli|tools|tests|methods|demo|bench|include|docs)/[A-Za-z0-9_./-]*`' "$file" | tr -d '`' | sort -u); do
        [ -e "$source/$path" ] || { echo "$file: there is no $path"; bad=1; }
    done
done

# One photo's way: the functions named for a file are there.
rows=0
grep -E '^\| [0-9]+ \| `' "$source/docs/design.md" >"$2/way.txt"
while IFS='|' read -r _ _ file text; do
    file=$(printf '%s' "$file" | tr -d ' `')
    rows=$((rows + 1))
    for name in $(printf '%s\n' "$text" | grep -oE '`[a-z_0-9]+`' | tr -d '`'); do
        grep -qw "$name" "$source/$file" || { echo "docs/design.md: $name is not in $file"; bad=1; }
    done
done <"$2/way.txt"
[ $rows -ge 10 ] || { echo "docs/design.md: the way of a photo has $rows rows only"; bad=1; }
files=$(cut -d '|' -f 3 "$2/way.txt" | sort -u | wc -l)
[ "$files" -le 10 ] || { echo "docs/design.md: the way of a photo leads through $files files"; bad=1; }
exit $bad
