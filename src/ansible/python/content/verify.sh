# Whether COMMIT is signed by one of the keys in SIGNERS. Runs in what was
# fetched.
# No other keys count: neither the user's of GPG, nor the user's for SSH.
GNUPGHOME=$(mktemp -d) || exit
export GNUPGHOME
trap 'rm -rf "$GNUPGHOME"' EXIT
allowed=$SIGNERS
if grep -q 'BEGIN PGP PUBLIC KEY BLOCK' "$SIGNERS"; then
  allowed=/dev/null
  imported=$(gpg --batch --quiet --no-autostart --import "$SIGNERS" 2>&1) || {
    echo "$imported" >&2
    exit 1
  }
fi
if ! said=$(git -c gpg.ssh.allowedSignersFile="$allowed" \
    -c gpg.minTrustLevel=undefined verify-commit "$COMMIT" 2>&1); then
  echo "$COMMIT is not signed by a key of $SIGNERS; ${said:-it has no signature}" >&2
  exit 1
fi
