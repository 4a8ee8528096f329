# Replaces nixpkgs: builds with the tools of this system.
{
  lib = {
    cleanSource = src: src;
    cleanSourceWith = { src, filter }:
      builtins.path { path = src; inherit filter; name = "source"; };
    licenses = { mit = "MIT"; asl20 = "Apache-2.0"; };
  };
  stdenv.hostPlatform.rust.cargoShortTarget = "target";
  rustPlatform.buildRustPackage =
    { pname, version, src, cargoLock, postPatch, installPhase, ... }:
    assert builtins.pathExists cargoLock.lockFile;
    derivation {
      name = "${pname}-${version}";
      system = builtins.currentSystem;
      inherit src postPatch installPhase;
      RELEASE_DIR = builtins.getEnv "RELEASE_DIR";
      builder = "/bin/bash";
      args = [ "-euc" ''
        export PATH=/usr/bin:/bin
        runHook() { :; }
        patchShebangs() { ls "$@"; }
        cp -r "$src" source; chmod -R u+w source; cd source
        eval "$postPatch"
        eval "$installPhase"
      '' ];
    };
}
