# The methods are run by tests/packaging/test_recipes.py, with a replacement of Homebrew's class.
# Not run with brew. Formulas are installed from a tap:
#
#   make dist
#   brew tap-new local/bw
#   cp packaging/recipes/homebrew/libbw_webrtc.rb "$(brew --repository local/bw)/Formula"
#   HOMEBREW_BW_WEBRTC_DIST=$PWD/build/dist brew install --build-from-source local/bw/libbw_webrtc
#
class LibbwWebrtc < Formula
  desc "Control Bandwidth's WebRTC service from C, C++ and Python"
  homepage "https://docs.rs/bw-webrtc"
  url "file://#{ENV.fetch("HOMEBREW_BW_WEBRTC_DIST", "/nonexistent")}/libbw_webrtc-0.1.0.tar.gz"
  version "0.1.0"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build
  # `make install` builds the static library with GNU binutils.
  depends_on :linux

  def install
    system "make", "install", "PREFIX=#{prefix}"
  end

  test do
    (testpath/"version.c").write <<~C
      #include <stdio.h>
      #include <bw_webrtc.h>
      int main(void) { return puts(bw_version()) < 0; }
    C
    system ENV.cc, "version.c", "-I#{include}", "-L#{lib}", "-lbw_webrtc", "-o", "version"
    assert_equal version.to_s, shell_output("./version").chomp
  end
end
