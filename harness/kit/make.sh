#!/bin/sh
# Makes the identity kit of the suite's cast in the folder of this script. Keys that are there already are kept, so that
# a run repairs a kit and never changes one; delete the *.pem files first for a new one. Needs openssl (3.x) and sha256sum.
set -eu
cd "$(dirname "$0")"
SIZE=256

# The six with names: their uids read like them, as far as hexadecimal digits go.
cat > names.toml <<'NAMES'
# Name of a cast member = its uid text. Test-only, like everything in this folder.
alice = "00000000000a11ce"
bob = "00000000000b0b00"
carol = "0000000000ca401e"
dave = "000000000000da7e"
erin = "000000000000e219"
frank = "0000000000f2a2c0"
NAMES
sed -n 's/^[a-z][a-z]* = "\([0-9a-f]*\)"$/\1/p' names.toml > cast.txt

# The crowd: uids from all over the 64-bit range, with a letter in each, so that a mistake with signs, byte order or the
# case of digits shows.
n=$(wc -l < cast.txt)
while [ "$n" -lt "$SIZE" ]; do
    n=$((n + 1))
    uid=$(printf 'mpchat cast %d' "$n" | sha256sum | cut -c 1-16)
    case $uid in
        *[a-f]*) echo "$uid" >> cast.txt ;;
        *) echo "make.sh: uid $uid of cast member $n has no letter" >&2; exit 1 ;;
    esac
done

# pair NAME: NAME.key.pem (PKCS #8) and NAME.pub.pem (SubjectPublicKeyInfo), RSA 2048, exponent 65537.
pair() {
    [ -s "$1.key.pem" ] ||
        openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:65537 -out "$1.key.pem"
    [ -s "$1.pub.pem" ] || openssl pkey -in "$1.key.pem" -pubout -out "$1.pub.pem"
}

pair server
while read -r uid; do
    pair "$uid"
done < cast.txt
# openssl writes private keys for their owner only; these are public knowledge.
chmod 644 ./*.pem
