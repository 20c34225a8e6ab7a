# Keeps what comes by stdin, as git-credential(1) has it, in the memory of git
# credential-cache, whose socket is SOCKET.
umask 077
mkdir -p "$(dirname "$SOCKET")" && exec git credential approve
