# /etc/consul.d/server.hcl: one server on one host. Check with: consul validate /etc/consul.d

datacenter = "dc1"
data_dir   = "/var/lib/consul"

server           = true
bootstrap_expect = 1

# The address under which other hosts reach this one: what catalog and DNS answer for this node.
bind_addr = "{{ GetPrivateIP }}"

# HTTP and DNS. There is no access control yet: whoever reaches the HTTP port may read and change everything.
client_addr = "127.0.0.1"

# Check scripts of these files may run, those registered over HTTP may not.
enable_local_script_checks = true

# Names outside the zone "consul" are passed on only if this is set.
# recursors = ["10.0.0.2"]

dns_config {
  # Let resolvers ask again over TCP when an answer was cut.
  enable_truncate = true
}

telemetry {
  prometheus_retention_time = "60s"
  disable_hostname          = true
}
