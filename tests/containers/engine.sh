# An engine with the stand-ins for the images, a practice Closte and public resolvers, and what the other files need.
# tests/docker reads it in namespaces of its own.

export DOCKER_HOST=unix://$work/docker.sock DOCKER_CONFIG=$work/docker-config
key=practice-$RANDOM$RANDOM

fail() {
  echo "tests/docker: $*" >&2
  docker ps -a >&2
  local log
  for log in $(docker ps -aq --filter ancestor=closte-sync); do docker logs --tail 20 "$log" >&2; done
  exit 1
}
# Waits until the command succeeds, three minutes at most.
wait_for() {
  local deadline=$((SECONDS + 180))
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "in vain: $*"
    sleep 0.1
  done
}
has() { grep -qF -e "$2" <<<"$1" || fail "\"$2\" is not in: $1"; }
has_not() { ! grep -qF -e "$2" <<<"$1" || fail "\"$2\" is in: $1"; }
# The time since this one, of EPOCHREALTIME.
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }'; }

echo "== an engine"
ip link set lo up
# The world outside: the resolvers that are asked, Closte, and where the domains point.
for address in 1.1.1.1 8.8.8.8 9.9.9.9 81.2.69.142 81.2.69.160; do ip address add "$address/32" dev lo; done
mkdir -p "$DOCKER_CONFIG/cli-plugins"
docker compose version >/dev/null 2>&1 || cp "$kept/docker-compose" "$DOCKER_CONFIG/cli-plugins/"
echo '{}' >"$work/daemon.json"
dockerd --config-file "$work/daemon.json" --data-root "$work/data" --exec-root "$work/exec" \
  --pidfile "$work/dockerd.pid" --host "$DOCKER_HOST" --cgroup-parent closte-sync-tests --dns 1.1.1.1 \
  >"$work/dockerd.log" 2>&1 &
engine=$!
engine_answers() { docker version >/dev/null 2>&1 || ! kill -0 "$engine"; }
wait_for engine_answers
kill -0 "$engine" || { tail -5 "$work/dockerd.log" >&2; leave_out "the engine does not run here"; }
docker version --format 'Docker {{.Server.Version}}'
docker compose version

echo "== stand-ins for the images"
docker import "$kept/base.tar" base >/dev/null
names=(distroless mariadb mysql wordpress wordpress-latest practice)
if $all; then names+=(rust); else names+=(built); fi
docker compose -f "$work/stand-ins/compose.yaml" --profile all build "${names[@]}" >"$work/log" 2>&1 ||
  { tail -40 "$work/log" >&2; exit 1; }

# Closte and public resolvers, at their addresses.
docker run -d --name resolvers --network host --entrypoint dnsmasq practice-closte \
  --keep-in-foreground --no-resolv --no-hosts --bind-interfaces \
  --listen-address=1.1.1.1,8.8.8.8,9.9.9.9 --address=/com/ --address=/app.closte.com/81.2.69.142 \
  --address=/example/81.2.69.160 >/dev/null
docker run -d --name closte --network host practice-closte "$key" >/dev/null
listed() { docker exec closte curl -sf "http://127.0.0.1:9000/api/client/getdomains?apikey=$key"; }
lists() { listed | grep -qF "\"$1\""; }
lists_no_more() { listed | { ! grep -qF "\"$1\""; }; }

cd "$work/clone"
# The commands in the block below this text of README. What they ask to paste is in files of the same names in $work.
block() {
  local commands
  commands=$(awk -v text="$1" 'index($0, text) { found = 1 }
    found && /^```/ { if (inside) exit; inside = 1; next }
    inside' README.md)
  [ -n "$commands" ] || fail "README has no commands below \"$1\""
  sed "s|^cat > config/secrets/\([a-z_]*\) *# paste.*|cp $work/\1 config/secrets/\1|" <<<"$commands"
}
# They must succeed. What they print is in $output.
follow() {
  output=$(bash -euo pipefail <<<"$1" 2>&1) || fail "README does not work: $1: $output"
}
# The tables of a network with one mapping, for its database.
tables() {
  cat tests/data/network.sql tests/data/actions.sql
  echo "INSERT INTO wp_site (id, domain, path) VALUES (1, 'network.example', '/');
    INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES (1, 1, 'network.example', '/'),
      (2, 1, 'a.network.example', '/');"
  mapping "$1"
}
mapping() {
  echo "INSERT INTO wp_wu_domain_mappings (blog_id, domain, active, stage) VALUES (2, '$1', 1, 'checking-dns');"
}

# WordPress, its database and closte-sync, as in the file that README begins with.
compose="docker compose -f config/compose.yaml"
container=closte-network-closte-sync-1
echo "$key" >"$work/closte_client_api_key"
sql() { $compose exec -T db mariadb -uwordpress -p"$(cat config/secrets/db_password)" wordpress; }
# Follows README as far as there is something that runs, and makes its WordPress a network.
start_network() {
  [ -z "$($compose ps --quiet db)" ] || return 0
  commands=$(block "**In Docker**")
  doctor=$(tail -1 <<<"$commands")
  # Doctor comes when there is a network.
  follow "$(head -n -1 <<<"$commands")"
  output=$($doctor 2>&1) && fail "doctor finds a network in an empty database"
  has "$output" "FAILED  database   there is no table wp_site"
  tables first.example | sql
  wait_for lists first.example
}

# What follows is of $container.
of() { docker inspect --format "{{$1}}" "$container"; }
is() { [ "$(of "$1")" = "$2" ]; }
log() { docker logs --since "${1-0}" "$container" 2>&1; }
logged() { log "${2-0}" | grep -qF -e " $1"; }
on() { container=$1 "${@:2}"; }
healthy() { docker exec "$container" closte-sync health; }
