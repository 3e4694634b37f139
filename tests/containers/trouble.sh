# What people get wrong, and what happens to a daemon.
start_network

echo "== a secret that is missing, empty, unreadable, or a setting that is wrong"
secrets=$work/secrets
mkdir -m 755 "$secrets"
cp config/secrets/db_password "$secrets"
trial() {
  docker run "${@:2}" --network closte-network_default -v "$secrets:/run/secrets:ro" \
    --health-interval 1s --health-start-period 0s \
    -e WORDPRESS_DB_HOST=db -e WORDPRESS_DB_NAME=wordpress -e WORDPRESS_DB_USER=wordpress \
    -e WORDPRESS_DB_PASSWORD_FILE=/run/secrets/db_password \
    -e CLOSTE_CLIENT_API_KEY_FILE=/run/secrets/closte_client_api_key -e "$1" closte-sync
}
refused() {
  output=$(trial "$@" --rm 2>&1) && fail "it runs: $output"
  true
}
trial NOTHING= -d --name trial >/dev/null
wait_for on trial is .State.Health.Status unhealthy
output=$(docker exec trial closte-sync doctor) && fail "doctor finds a key that is not there"
has "$output" "cannot read /run/secrets/closte_client_api_key"
cp "$work/closte_client_api_key" "$secrets/"
wait_for on trial logged leader.standby
wait_for on trial is .State.Health.Status healthy
[ "$(on trial log | grep -c " daemon.awaits_files ")" = 1 ] || fail "it did not say once that it waits"
on trial is .RestartCount 0 || fail "it was restarted"
docker rm -f trial >/dev/null
refused CLOSTE_SYNC__SYNC__INTERVAL=soon
has "$output" "CLOSTE_SYNC__SYNC__INTERVAL"
chmod 600 "$secrets/closte_client_api_key"
refused NOTHING=
for part in /run/secrets/closte_client_api_key 10001; do has "$output" "$part"; done
: >"$secrets/closte_client_api_key"
chmod 644 "$secrets/closte_client_api_key"
refused NOTHING=
has "$output" "/run/secrets/closte_client_api_key is empty"

if $all; then
  echo "== demo, which is not in the image"
  output=$(docker run --rm closte-sync demo 2>&1) && fail "there is a demo in the image"
  has "$output" "the demo is not in this build"
fi

echo "== it hangs"
beat() { find "$work/data/volumes/closte-network_state/_data" -name '*.lock' -exec touch -d "$1" {} +; }
kill -STOP "$(of .State.Pid)"
beat '2 minutes ago'
output=$(healthy) && fail "a daemon that hangs is healthy"
has "$output" "the daemon hangs"
output=$($doctor 2>&1) && fail "doctor finds nothing wrong"
has "$output" "the daemon hangs"
if $all; then wait_for is .State.Health.Status unhealthy; fi
kill -CONT "$(of .State.Pid)"
wait_for healthy

echo "== it is stopped"
before=$EPOCHREALTIME
docker stop -t 2 "$container" >/dev/null
echo "It took $(since "$before")."
is .State.ExitCode 0 || fail "it was killed after 2 s"
docker start "$container" >/dev/null
wait_for healthy

echo "== it is stopped while it adds"
{
  echo "INSERT INTO wp_wu_domain_mappings (blog_id, domain, active, stage) VALUES"
  for number in {1..5000}; do echo "(2, 'd$number.example', 1, 'checking-dns'),"; done | sed '$s/,$/;/'
} | sql
wait_for logged "domain.added domain=d"
docker pause closte >/dev/null
before=$EPOCHREALTIME
docker stop -t 3 "$container" >/dev/null
echo "It took $(since "$before")."
is .State.ExitCode 0 || fail "it was killed after 3 s"
wait_for logged daemon.stopped
output=$(log)
has "$output" " domain.outcome_unknown "
has_not "$output" " closte.failed "
docker unpause closte >/dev/null
docker start "$container" >/dev/null
wait_for lists d5000.example
wait_for docker exec "$container" closte-sync plan
