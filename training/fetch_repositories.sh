#!/usr/bin/env bash
# fetch_repositories.sh WORKDIR: files of public repositories, at the commits that the two lists name, into
# WORKDIR/src/github-owner+name: text of documentation (repositories.tsv) and data of questions (repositories-questions.tsv).
# With REPOSITORIES=FOLDER they come from the bare clones FOLDER/owner+name/repo, else from github.com, only the commit and
# the files that are needed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mkdir -p "$1/src" && cd "$1" && pwd)

# fetch NAME COMMIT PATHS KINDS: KINDS are file endings, * for all.
fetch() {
  local name=$1 commit=$2 paths=$3 kinds=$4
  local out=$work/src/github-${name/\//+} mirror=${REPOSITORIES:-}/${name/\//+}/repo
  [ "$(cat "$out/.commit" 2>/dev/null || true)" = "$commit $paths" ] && return
  rm -rf "$out" && mkdir -p "$out"
  if [ -n "${REPOSITORIES:-}" ] && [ -d "$mirror" ]; then
    local git=(git --git-dir="$mirror") endings="\\.(${kinds// /|})\$"
    [ -d "$mirror/.git" ] && git=(git --git-dir="$mirror/.git")
    [ "$kinds" = "*" ] && endings=.
    export GIT_INDEX_FILE=$out/.index
    "${git[@]}" read-tree "$commit"
    # shellcheck disable=SC2086 # a list of paths
    "${git[@]}" ls-tree -rz --name-only "$commit" -- $paths | { grep -zE "$endings" || true; } |
      "${git[@]}" checkout-index -q -z --stdin --prefix="$out/"
    rm -f "$out/.index"
    unset GIT_INDEX_FILE
  else
    git -C "$out" init -q
    git -C "$out" fetch -q --depth 1 --filter=blob:none "https://github.com/$name" "$commit"
    local patterns=() path kind
    set -f # the patterns are git's, not the shell's
    for path in $paths; do
      for kind in $kinds; do
        if [ "$kind" = "*" ]; then patterns+=("/$path")
        elif [ "$path" = . ]; then patterns+=("*.$kind")
        else patterns+=("/$path/**/*.$kind"); fi
      done
    done
    set +f
    git -C "$out" config remote.origin.url "https://github.com/$name"
    git -C "$out" config remote.origin.promisor true
    git -C "$out" config remote.origin.partialclonefilter blob:none
    git -C "$out" sparse-checkout set --no-cone "${patterns[@]}"
    git -C "$out" checkout -q FETCH_HEAD
    rm -rf "$out/.git"
  fi
  echo "$commit $paths" > "$out/.commit"
}

for list in "repositories.tsv:md mdx rst po" "repositories-questions.tsv:*"; do
  while IFS=$'\t' read -r name commit paths _; do
    [ "$name" = repository ] || fetch "$name" "$commit" "$paths" "${list#*:}"
  done < "$here/${list%%:*}"
done
