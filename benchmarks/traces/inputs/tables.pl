# Records parsed from text, objects, nested tables, formatting and deep copies; `tables.pl ROUNDS`.
use strict;
use warnings;

package Row;
sub new { my ($class, %field) = @_; return bless {%field, tags => [split /,/, $field{tags}]}, $class }
sub text { my $self = shift; return sprintf '%-12s|%8.2f|%s', $self->{name}, $self->{price}, join '+', @{ $self->{tags} } }

package main;

sub copy {
    my $value = shift;
    return ref $value eq 'ARRAY' ? [map { copy($_) } @$value]
        : ref $value ? { map { $_ => copy($value->{$_}) } keys %$value } : $value;
}

my ($seed, $total) = (7, 0);
sub draw { $seed = ($seed * 1103515245 + 12345) % 2147483648; return $seed % shift }
for my $round (1 .. $ARGV[0]) {
    my $file = join "\n", map { join ';', "name" . draw(5000), draw(10000) / 100, join ',', map { 't' . draw(40) } 0 .. draw(6) } 1 .. 6000;
    my (@rows, %by_tag);
    for my $line (split /\n/, $file) {
        next unless $line =~ /^(\w+);([\d.]+);(.*)$/;
        push @rows, Row->new(name => $1, price => $2, tags => $3);
        push @{ $by_tag{$_} }, $rows[-1] for @{ $rows[-1]{tags} };
    }
    my $page = join "\n", map { $_->text } sort { $a->{price} <=> $b->{price} || $a->{name} cmp $b->{name} } @rows;
    $total += length $page;
    my $twin = copy(\%by_tag);
    $total += scalar @{ $twin->{$_} } for sort keys %$twin;
    (my $upper = $page) =~ s/(\w+)\|/\U$1\E|/g;
    $total += () = $upper =~ /NAME\d*7/g;
}
print "$total\n";
