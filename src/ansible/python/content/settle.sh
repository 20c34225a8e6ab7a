# Makes "current" a link to the checkout of REVISION, and removes those in
# REMOVE. Runs in the directory of the content.
set -e
ln -sfn "$CHECKOUTS/$REVISION" incoming/current
mv -T incoming/current current
for name in $REMOVE; do
  # What is half removed is no checkout.
  mv "$CHECKOUTS/$name" "incoming/removed-$name"
  rm -rf "incoming/removed-$name"
done
