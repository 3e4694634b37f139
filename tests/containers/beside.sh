# README: beside a WordPress that is in Docker already.
$compose down --volumes 2>/dev/null
rm -rf config/secrets config/.env

echo "== README: beside a WordPress that is in Docker already"
blog="docker compose -p blog -f tests/data/docker/wordpress-page.yaml"
$blog up -d 2>/dev/null
blog_tables() { tables blog.example | $blog exec -T db mysql -uexampleuser -pexamplepass exampledb; }
wait_for blog_tables
# It is started while there is no database.
$blog stop db 2>/dev/null
container=closte-sync-closte-sync-1
echo examplepass >"$work/db_password"
commands=$(block "**Beside a WordPress that is in Docker already**")
# A second build from the source takes as long again: `docker build` may share no cache with Compose.
if $all && docker image inspect closte-sync >/dev/null 2>&1; then
  commands=$(grep -v '^docker build ' <<<"$commands")
fi
follow "$(head -n -1 <<<"$commands")"
wait_for logged wordpress.failed
$blog start db 2>/dev/null
wait_for lists blog.example
follow "$(tail -1 <<<"$commands")"
has "$output" "mysql://exampleuser@db:3306/exampledb can be read"
is .RestartCount 0 || fail "it was restarted"
# As README says: -p blog for the commands with db, its database, MySQL's client, and the other file.
follow "$(block "In Docker, the password is a third secret" | sed -e '/ db /s|-f config/compose.yaml|-p blog|' \
  -e 's/db mariadb -uroot wordpress/db mysql -uroot exampledb/' -e 's/compose.yaml/compose.beside.yaml/')"
has "$output" "mysql://closte_sync@db:3306/exampledb can be read"
