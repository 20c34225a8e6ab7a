# Prints the commit of REF, and the one that is wanted: REVISION, a tag or a
# commit that can be reached from there if REACHABLE is True, or without it the
# same. Runs in what was fetched.
commit_of() { git rev-parse --verify --quiet "$1^{commit}"; }
by_id() {
  case $1 in
    *[!0-9a-f]* | ? | ?? | ???) return 1 ;;
    *) commit_of "$1" ;;
  esac
}
is_whole() { [ ${#1} -eq 40 ] || [ ${#1} -eq 64 ]; }
if [ "$REF" = HEAD ]; then head=$(commit_of refs/ansible-worker/HEAD)
else
  head=$(commit_of "refs/heads/$REF" || commit_of "refs/tags/$REF" || by_id "$REF")
fi
if [ -z "$head" ] && [ "$REACHABLE" = True ]; then
  echo "there is no branch, tag or commit \"$REF\" in the repository" >&2
  exit 1
fi
if [ -z "$REVISION" ]; then commit=$head
elif is_whole "$REVISION"; then commit=$(by_id "$REVISION")
else commit=$(commit_of "refs/tags/$REVISION" || by_id "$REVISION")
fi
if [ -z "$commit" ]; then
  echo "there is no commit and no tag \"$REVISION\" in the repository" >&2
  exit 1
fi
if [ "$REACHABLE" = True ] && ! git merge-base --is-ancestor "$commit" "$head"; then
  echo "\"$REVISION\" cannot be reached from \"$REF\", and only what can is run" >&2
  exit 1
fi
echo "${head:-$commit}"
echo "$commit"
