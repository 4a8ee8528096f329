# Runs the functions of the APKBUILD in $startdir as abuild does. Creates packages in $pkgbasedir.
set -eu
default_prepare() { cd "$builddir"; }
amove() {
	mkdir -p "$subpkgdir/${1%/*}"
	mv "$pkgdir/$1" "$subpkgdir/$1"
}

. "$startdir/APKBUILD"
builddir=$srcdir/$pkgname-$pkgver
pkgdir=$pkgbasedir/$pkgname
cd "$builddir"
prepare
build
package
for subpackage in $subpackages; do
	case $subpackage in
	*:*)
		subpkgdir=$pkgbasedir/${subpackage%%:*}
		"${subpackage#*:}"
		;;
	esac
done
