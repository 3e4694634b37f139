# Several containers on one network: by one volume, or each with its own.
start_network

echo "== two containers on one volume"
second=closte-network-closte-sync-2
$compose up -d --scale closte-sync=2 closte-sync 2>/dev/null
wait_for on "$second" logged daemon.standby
docker kill "$container" >/dev/null
before=$EPOCHREALTIME
wait_for on "$second" logged daemon.started
echo "The second one went on after $(since "$before")."
mapping volume.example | sql
wait_for lists volume.example
[ "$(on "$second" log | grep -c daemon.standby)" = 1 ] || fail "it did not say once that it waits"
docker rm -f "$second" >/dev/null

echo "== two containers with a volume each"
# The database ends a session that is silent for 30 s instead of 90.
cat >"$work/sooner.yaml" <<END_OF_FILE
services:
  closte-sync:
    environment: { CLOSTE_SYNC__SYNC__INTERVAL: 2s, CLOSTE_SYNC__SYNC__REMOVAL_GRACE: 5s }
END_OF_FILE
$compose -f "$work/sooner.yaml" up -d closte-sync 2>/dev/null
one=$container two=closte-sync-closte-sync-1
wait_for logged leader.acquired
printf '%s\n' WORDPRESS_PROJECT=closte-network WORDPRESS_DB_NAME=wordpress >>config/.env
grep -q ^WORDPRESS_DB_USER= config/.env || echo WORDPRESS_DB_USER=wordpress >>config/.env
beside="docker compose -f config/compose.beside.yaml -f $work/sooner.yaml"
$beside up -d 2>/dev/null
wait_for on "$two" logged leader.standby
# It adds a name, and the other one does not.
adds() {
  mapping "$2" | sql
  wait_for lists "$2"
  wait_for on "$1" logged "domain.added domain=$2"
}
status() { docker exec "$1" closte-sync status; }
has "$(status "$one")" "Leads: "
has "$(status "$two")" "Standby: "
adds "$one" together.example

# It reaches Closte, and not the database.
docker network create outside >/dev/null
docker network connect outside "$one"
docker network disconnect closte-network_default "$one"
before=$EPOCHREALTIME
wait_for on "$one" logged leader.lost
echo "The leader that was cut off noticed it after $(since "$before")."
echo "DELETE FROM wp_wu_domain_mappings WHERE domain = 'together.example'" | sql
adds "$two" apart.example
echo "The other one took over after $(since "$before")."
wait_for lists_no_more together.example
docker network connect closte-network_default "$one"
wait_for on "$one" logged leader.standby
adds "$two" again.example

docker kill "$two" >/dev/null
before=$EPOCHREALTIME
adds "$one" alone.example
echo "After the leader was killed, it took $(since "$before")."
since=$(date -Is)
docker start "$two" >/dev/null
wait_for on "$two" logged leader.standby "$since"

# Whatever happened, each thing was done once, and nobody led while the other one did.
actions=$(for it in "$one" "$two"; do on "$it" log; done | grep -E " (leader|domain)\.[a-z]+" | sort)
for action in together apart again alone; do
  [ "$(grep -c "domain.added domain=$action.example" <<<"$actions")" = 1 ] || fail "not once: $action: $actions"
done
[ "$(grep -c "domain.removed domain=together.example" <<<"$actions")" = 1 ] || fail "not once removed: $actions"
lead=$(grep -oE "leader\.(acquired|lost)" <<<"$actions" | tr '\n' ' ')
[ "$lead" = "leader.acquired leader.lost leader.acquired leader.acquired " ] || fail "who led? $actions"
for it in "$one" "$two"; do wait_for docker exec "$it" closte-sync plan; done
$beside down --volumes 2>/dev/null
