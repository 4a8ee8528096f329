# Runs the methods of a formula as `brew install` and `brew test` do.
# Usage: formula.rb FORMULA SOURCE PREFIX
require "open3"
require "pathname"
require "tmpdir"

FORMULA, SOURCE, PREFIX = ARGV

class Formula
  class << self
    attr_reader :values, :tests

    %i[desc homepage url version license depends_on].each do |name|
      define_method(name) { |value| (@values ||= {})[name] = value }
    end

    def test(&block)
      @tests = block
    end
  end

  attr_accessor :testpath

  def prefix = Pathname.new(PREFIX)
  def include = prefix/"include"
  def lib = prefix/"lib"
  def version = self.class.values.fetch(:version)

  def system(*command)
    Kernel.system(*command, exception: true)
  end

  def shell_output(command)
    output, status = Open3.capture2(command)
    raise "#{command} failed" unless status.success?
    output
  end

  def assert_equal(expected, actual)
    raise "#{actual.inspect} is not #{expected.inspect}" unless expected == actual
  end
end

def ENV.cc = fetch("CC", "cc")

load FORMULA
formula = LibbwWebrtc.new
Dir.chdir(SOURCE) { formula.install }
# Homebrew's compiler adds the search path.
ENV["LD_LIBRARY_PATH"] = formula.lib.to_s
Dir.mktmpdir do |folder|
  Dir.chdir(folder) do
    formula.testpath = Pathname.new(folder)
    formula.instance_eval(&LibbwWebrtc.tests)
  end
end
puts "formula passed"
