# Ends what keep_password.sh has begun.
git credential-cache --socket="$SOCKET" exit
rm -rf "$(dirname "$SOCKET")"
