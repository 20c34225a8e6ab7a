# Fetches what is in REPOSITORY into $DIRECTORY/repository, if FETCH is True, and
# clears away what a look that was killed has left. REF, CHECKOUTS: see look.yml.
set -e
umask 077
mkdir -p "$DIRECTORY"
umask 022
mkdir -p "$DIRECTORY/$CHECKOUTS" "$DIRECTORY/incoming"
cd "$DIRECTORY/repository" 2> /dev/null || {
  git init --quiet --bare "$DIRECTORY/incoming/repository"
  mv "$DIRECTORY/incoming/repository" "$DIRECTORY/repository"
  cd "$DIRECTORY/repository"
}
rm -rf "$DIRECTORY/incoming/"*
# Nobody else writes here.
find . -name '*.lock' -type f -exec rm -f {} +
[ "$FETCH" = True ] || exit 0
set -- '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*'
[ "$REF" != HEAD ] || set -- "$@" '+HEAD:refs/ansible-worker/HEAD'
git fetch --quiet --force --prune --no-tags --recurse-submodules=no -- "$REPOSITORY" "$@"
