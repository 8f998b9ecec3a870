# What init and client have in common. The numbers of system calls are those of x86_64.
use strict;

# mount(SOURCE, TARGET, TYPE[, FLAGS[, DATA]])
sub mount {
  my ($source, $target, $type, $flags, $data) = @_;
  $flags //= 0;
  $data //= '';
  syscall(165, $source, $target, $type, $flags, $data) == 0 or die "mount $target: $!\n";
}

sub lines {
  my ($file) = @_;
  open my $in, '<', $file or die "$file: $!\n";
  return <$in>;
}

sub write_file {
  my ($file, $text) = @_;
  open my $out, '>', $file or die "$file: $!\n";
  syswrite $out, $text;
  close $out;
}

# With those above them.
sub make_directories {
  for my $directory (@_) {
    my $path = '';
    for my $name (split m{/}, $directory) {
      $path .= "$name/";
      # Another one may be faster.
      -d $path or mkdir $path or -d $path or die "mkdir $path: $!\n";
    }
  }
}

sub run_program { system(@_) == 0 or die "@_: $?\n" }

# set_up_network(HOST-NAME, INTERFACE, ADDRESS/PREFIX...)
sub set_up_network {
  my ($name, $interface, @addresses) = @_;
  write_file('/proc/sys/kernel/hostname', $name);
  # The device was there before: it has its own value, and the larger of that and all's is what counts.
  write_file("/proc/sys/net/ipv6/conf/$_/accept_dad", '0') for 'all', 'default', $interface;
  open my $ip, '|-', 'ip', '-batch', '-' or die "ip: $!\n";
  print {$ip} "link set lo up\n", (map { "address add $_ dev $interface\n" } @addresses), "link set $interface up\n";
  close $ip or die "ip: $?\n";
}

# Fills an empty /var/lib/nfs as the Debian packages do, and starts rpcbind in this namespace.
sub set_up_nfs_state {
  my $nfs = '/var/lib/nfs';
  make_directories((map { "$nfs/$_" } qw(sm sm.bak rpc_pipefs v4recovery)), '/run/rpcbind', '/run/sendsigs.omit.d');
  write_file("$nfs/$_", '') for qw(etab rmtab state);
  my %users = map { (split /:/)[0, 2] } lines('/etc/passwd');
  my %groups = map { (split /:/)[0, 2] } lines('/etc/group');
  chown $users{statd}, $groups{nogroup}, "$nfs/sm", "$nfs/sm.bak";
  chown $users{statd}, -1, "$nfs/state";
  chown $users{_rpc}, -1, '/run/rpcbind';
  run_program('rpcbind', '-w');
}

1;
