#!/bin/sh
# Copies what the pages use of Bootstrap Italia, and the digests that the page
# for time-stamps computes, into dist, which the program embeds. Run after `npm ci --ignore-scripts` in this folder.
set -eu
cd "$(dirname "$0")"
from=node_modules/bootstrap-italia
if [ ! -d "$from/dist" ]; then
	echo "build.sh: $from is missing: run 'npm ci --ignore-scripts' in web/assets first" >&2
	exit 1
fi
rm -rf dist
mkdir -p dist/css dist/svg dist/fonts
# The map is not shipped, so nor is the line that points to it. The font of the video
# player, which no page has, is in the style sheet itself: our content policy has
# browsers refuse it, with an error at each load.
sed -e 's|/\*# sourceMappingURL=.*\*/||' -e 's|@font-face{font-family:VideoJS;[^}]*}||' "$from/dist/css/bootstrap-italia.min.css" >dist/css/bootstrap-italia.min.css
cp "$from/dist/svg/sprites.svg" dist/svg/
cp "$from/LICENSE" dist/LICENSE.txt

# The package loads its fonts with a script; these rules do without. Only the
# weights that the pages use.
: >dist/fonts.css
face() { # family, folder, file without extension, weight, style
	[ -f "$from/dist/fonts/$2/$3.woff2" ] || { echo "build.sh: font $3 is missing" >&2; exit 1; }
	mkdir -p "dist/fonts/$2"
	cp "$from/dist/fonts/$2/$3.woff2" "dist/fonts/$2/"
	printf '@font-face{font-family:"%s";font-style:%s;font-weight:%s;font-display:swap;src:url(fonts/%s/%s.woff2) format("woff2")}\n' \
		"$1" "$5" "$4" "$2" "$3" >>dist/fonts.css
}
for w in 300 regular 600 700; do
	n=$w
	[ "$w" = regular ] && n=400
	face 'Titillium Web' Titillium_Web "titillium-web-v10-latin-ext_latin-$w" "$n" normal
done
face 'Lora' Lora lora-v20-latin-ext_latin-regular 400 normal
face 'Lora' Lora lora-v20-latin-ext_latin-700 700 normal
face 'Roboto Mono' Roboto_Mono roboto-mono-v13-latin-ext_latin-regular 400 normal
face 'Roboto Mono' Roboto_Mono roboto-mono-v13-latin-ext_latin-700 700 normal
cp "$from/dist/fonts/Titillium_Web/OFL.txt" dist/fonts/Titillium_Web/
cp "$from/dist/fonts/Lora/OFL.txt" dist/fonts/Lora/
cp "$from/dist/fonts/Roboto_Mono/LICENSE.txt" dist/fonts/Roboto_Mono/

# SHA-256, SHA-384 and SHA-512 for files of any size: what browsers have by
# themselves wants the whole file in memory. Files whose name begins with an
# underscore would not be embedded.
noble=node_modules/@noble/hashes
mkdir -p dist/noble
for f in sha2 _md _u64 utils; do
	[ -f "$noble/$f.js" ] || { echo "build.sh: $noble/$f.js is missing" >&2; exit 1; }
	sed -e 's|from "\./_|from "./|' -e '/sourceMappingURL=/d' "$noble/$f.js" >"dist/noble/${f#_}.js"
done
cp "$noble/LICENSE" dist/noble/LICENSE.txt
