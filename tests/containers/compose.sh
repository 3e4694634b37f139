# README: in Docker.
echo "== README: in Docker"
start_network
follow "$doctor"
has "$output" "ok      wp-config  /var/www/html/wp-config.php"
has "$output" "ok      list       1 name at Closte"
# At a terminal it needs no -T.
follow "$(block "The log and the other" | tail -1 | sed 's/ exec / exec -T /')"
has "$output" "first.example"
wait_for is .State.Health.Status healthy
if $all; then
  docker image ls --format 'The image has {{.Size}}.' closte-sync
  awk '/^VmRSS/ { printf "The daemon has %.1f MiB.\n", $2 / 1024 }' "/proc/$(of .State.Pid)/status"
fi

echo "== what it may"
is .HostConfig.ReadonlyRootfs true || fail "its root file system can be written to"
status=$(cat "/proc/$(of .State.Pid)/status")
for line in "Uid: 10001" "CapPrm: 0000000000000000" "CapBnd: 0000000000000000" "NoNewPrivs: 1"; do
  has "${status//$'\t'/ }" "$line"
done
docker exec "$container" sh -c true >/dev/null 2>&1 && fail "there is a shell in the image"
seen=$(docker inspect "$container"; tr '\0' '\n' <"/proc/$(of .State.Pid)/environ"; log)
for secret in "$key" "$(cat config/secrets/db_password)"; do has_not "$seen" "$secret"; done

echo "== a mapping"
before=$EPOCHREALTIME
mapping second.example | sql
wait_for lists second.example
echo "It was at Closte after $(since "$before")."
wait_for logged domain.added
# A time, a level, an event: nothing else, and no colours.
odd=$(log | grep -vE '^[0-9T:.-]+Z (ERROR|WARN |INFO ) [a-z]+\.[a-z_]+( [a-z_]+=.*)?$') &&
  fail "odd lines in the log: $odd"

echo "== the state is kept"
$compose up -d --force-recreate closte-sync 2>/dev/null
wait_for healthy
was=$(of .State.Pid)
kill -9 "$was"
again() { [ "$(of .State.Pid)" != "$was" ] && healthy; }
wait_for again
events=$(docker exec "$container" closte-sync events)
for event in ledger.started "domain.added first.example" "domain.added second.example"; do
  [ "$(grep -c "$event" <<<"$events")" = 1 ] || fail "not once: $event: $events"
done

echo "== the database goes away and comes back"
since=$(date -Is)
$compose stop db 2>/dev/null
wait_for logged wordpress.failed "$since"
since=$(date -Is)
$compose start db 2>/dev/null
wait_for logged wordpress.recovered "$since"
is .RestartCount 1 || fail "it was restarted"

echo "== a database user of its own"
follow "$(block "In Docker, the password is a third secret")"
has "$output" "mysql://closte_sync@db:3306/wordpress can be read"
mapping third.example | sql
wait_for lists third.example
