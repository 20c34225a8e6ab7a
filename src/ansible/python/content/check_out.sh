# Checks COMMIT out at MADE, from what was fetched, MIRROR, of REPOSITORY.
set -e
# A disk that is full is not to stay so.
trap '[ $? -eq 0 ] || rm -rf "$MADE"' EXIT
git clone --quiet --no-checkout -- "$MIRROR" "$MADE"
cd "$MADE"
# From here on, so that submodules and LFS are looked for beside it.
git remote set-url origin "$REPOSITORY"
git checkout --quiet --detach "$COMMIT"
git submodule --quiet update --init --recursive
