# Hashes, closures, regular expressions, string building and sorting; `words.pl ROUNDS`.
use strict;
use warnings;

my (%count, @kept);
for my $round (1 .. $ARGV[0]) {
    my @words = map { my $n = $_ * 7919 % 10007; "w" . $n x ($n % 3 + 1) } 1 .. 20000;
    $count{$_}++ for @words;
    my @counters = map { my $sum = $_; sub { $sum += shift } } 1 .. 500;
    $_->($round) for @counters;
    my $text = join ' ', @words;
    my $matches = () = $text =~ /\bw(\d)\d*\1\b/g;
    (my $changed = $text) =~ s/w(\d+)/<$1>/g;
    push @kept, sprintf '%d %d %d %d', $round, $matches, length $changed, $counters[7]->(0);
    my %nested = map { $_ => { list => [1 .. $_ % 20], name => "n$_" } } 1 .. 3000;
    push @kept, scalar grep { @{ $nested{$_}{list} } > 10 } keys %nested;
}
print "$_\n" for @kept;
my @order = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
print "$_ $count{$_}\n" for @order[0 .. 20];
