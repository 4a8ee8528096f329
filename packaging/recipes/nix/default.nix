# Evaluated by tests/packaging/test_recipes.py with Debian's Nix, which also runs the install phase,
# with a replacement of nixpkgs. Not built with nixpkgs.
#
#   nix-build packaging/recipes/nix
{ pkgs ? import <nixpkgs> { } }:

pkgs.rustPlatform.buildRustPackage {
  pname = "libbw_webrtc";
  version = "0.1.0";

  src = pkgs.lib.cleanSourceWith {
    src = pkgs.lib.cleanSource ../../..;
    filter = path: type:
      type != "directory"
      || !builtins.elem path (map toString [ ../../../target ../../../build ]);
  };
  cargoLock.lockFile = ../../../Cargo.lock;
  cargoBuildFlags = [ "--workspace" ];
  # `make test` runs the tests; they need more packages, and a network.
  doCheck = false;

  postPatch = ''
    patchShebangs packaging/install packaging/static-library scripts/target-dir
  '';
  installPhase = ''
    runHook preInstall
    make install PREFIX=$out \
      RELEASE_DIR=''${RELEASE_DIR:-target/${pkgs.stdenv.hostPlatform.rust.cargoShortTarget}/release}
    runHook postInstall
  '';

  meta = {
    description = "Control Bandwidth's WebRTC service from C, C++ and Python";
    license = with pkgs.lib.licenses; [ mit asl20 ];
    platforms = [ "x86_64-linux" "aarch64-linux" ];
    mainProgram = "bw-sandbox";
  };
}
