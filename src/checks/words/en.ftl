# What the owner of a domain is told. The other files have the same messages.
#
# A sentence is whole. A clause begins with a small letter, has no full stop, and stands where a
# sentence or another clause names it: {$change} and {$switch} are imperatives to the reader, {$request}
# asks somebody else, {$reason} says why.

## Sentences: how it stands

works = { $name } works.
works-but-ipv6 = { $name } works, but visitors with IPv6 get to another server.
works-but-not-renewed = { $name } works, but its certificate cannot be renewed.
works-but-not-always = { $name } works, but not always.
still-checking = We are still checking { $name }.
setting-up = Your DNS is right. We are setting { $name } up.
renewing-certificate = { $name } works. We are renewing its certificate.
issuing-certificate = Your DNS is right, and the certificate of { $name } is being issued. That usually takes 5 to 10 minutes.
fixing-certificate = Your DNS is right. We are fixing the certificate of { $name }; there is nothing to do.
checking-certificate = Your DNS is right. We are still checking the certificate of { $name }; there is nothing to do.
fixing-one-server = Your DNS is right. We are fixing one of the servers of { $name }, { $address }; there is nothing to do.
fixing-target = The CNAME of { $name } is right. We are fixing { $target }; there is nothing to do.
switching-on = { $name } points to us. We are switching your site on: there is nothing to do for you.
taken-down = The site of { $name } has been taken down. Please contact us.
maintenance = The site of { $name } is under maintenance: there is nothing to do for you.
suspended = The site of { $name } is not open to visitors: its membership has ended, or it has not been published yet. Please log in to your account, or contact us.
server-fails = { $name } points to us, and our server does not answer as it should. We are on it: there is nothing to do for you.
spreading = Your change is spreading: all visitors get the new address of { $name } within some hours. There is nothing more to do.
broken = The DNS of { $name } is broken: { $reason }.
nobody-may-issue = The CAA records of { $name } allow nobody to issue its certificate.

## Sentences: what to do

log-in-and = { $log_in } and { $change }.
log-in-and-because = { $log_in } and { $change }: { $reason }.
log-in-or-ask = { $log_in } and { $change }, or { $request }.
log-in-or-ask-because = { $log_in } and { $change }, or { $request }: { $reason }.
keeps-changing = The DNS answers for { $name } keep changing. Please log in where you manage its DNS, { $change }, and remove its other A, AAAA and CNAME records.
switch-and = Please log in at { $host }, { $switch }, and { $change }.
if-that-is-at = If that is at { $host }, { $switch }.
then-log-in-at = Then log in at { $host } and { $switch }.
proxy-without-tls = The proxy at { $host } offers no TLS for { $name }. Please log in at { $host } and turn its SSL on, or, until the certificate is there, { $switch }.
register-first = { $name } does not exist in the DNS. Please make sure that { $registered } is registered and not expired, and then { $change }.
set-up-first = { $name } does not exist in the DNS. Please make sure that { $registered } is set up with the provider of { $suffix }, and then { $change }.
please = Please { $request }.
please-and-then = Please { $request }, and then { $change }.
please-because = Please { $request }: { $reason }.
please-or-because = Please { $request }, or { $change }: { $reason }.

## Sentences: what follows

hours = It can take some hours until all visitors see the change.
addresses-stay = { $count ->
    [one] { $addresses } is right and stays.
   *[other] { $addresses } are right and stay.
}
a-record-stays = The A record is right and stays.
without-that = Without that, no certificate can be issued for { $name }.

## Where to log in: the beginning of a sentence

log-in-at = Please log in at { $provider }, who run your DNS,
log-in-where = Please log in where you manage the DNS of { $zone }

## {$change}: what the reader changes

point = point the { $kind } record of { $name } at { $target }
add = add the { $kind } record of { $name } at { $target }
add-label = add the record { $label } to { $zone }, { $record }
add-beside-wildcard = add the { $kind } record of { $name } at { $target } (now the wildcard { $wildcard } answers, which may stay)
replace-cname = replace the CNAME of { $name } to { $to } by { $record }
replace-any-cname = replace the CNAME of { $name } by { $record }
replace-dname = remove the DNAME record of { $owner } to { $to }, which redirects all names below { $owner }, and add the { $kind } record of { $name } at { $target }
replace-alias = replace its record, most often an ALIAS or ANAME without a working target, by { $record }
replace-several = replace the { $count } { $kind } records of { $name } by one at { $target }
remove = remove the { $records } of { $name }
and-remove = { $change } and remove the { $records }
and-also = { $first }, and { $second }
add-caa = add the CAA record { $record } to { $name }
add-own-caa = add the CAA record { $record } to { $name } itself
remove-caa = remove { $record } from the CAA records of { $name }
remove-and-add-caa = remove { $record } from the CAA records of { $name }, and add { $right }
replace-caa = replace the CAA record { $record } of { $name } by { $right }

## {$request}: what the reader asks somebody for

ask-to-add-caa = ask { $whom } to add the CAA record { $record } to { $name }
ask-to-remove-caa = ask { $whom } to remove { $record } from the CAA records of { $name }
ask-to-remove-and-add-caa = ask { $whom } to remove { $record } from the CAA records of { $name }, and add { $right }
ask-to-replace-caa = ask { $whom } to replace the CAA record { $record } of { $name } by { $right }
ask-to-answer-caa = ask { $whom } to make its name servers answer queries for CAA records of { $name }
ask-to-remove = ask { $whom } to remove its { $records }
ask-to-correct-ds = ask { $whom } to have the DS record { $delegation } removed or corrected
ask-to-agree = ask { $whom } to have all of them say the same: the { $kind } record of { $name } at { $target }
ask-to-shorten = ask { $whom } to have it shortened: { $change }
ask-to-shorten-to = ask { $whom } to have it shortened to the { $kind } record of { $name } at { $target }
ask-to-answer = ask { $whom } to have the name servers of { $zone } answer, or correct them { $delegation }

## {$whom}: who is asked

provider = { $provider }
provider-of = the DNS provider of { $zone }
its-provider = its DNS provider
owner-of = the owner of { $name }

## {$delegation}: where a zone is delegated

in-parent = in { $zone }
at-registrar = at the registrar

## {$reason}: why, as a statement

nobody-allowed = the CAA records of { $name } allow nobody to issue a certificate
only-allowed = the CAA records of { $name } allow only { $authorities } to issue a certificate
critical-unknown = what is marked as critical makes authorities refuse that do not know it
caa-unreachable = they cannot be looked up, so no authority may issue a certificate
caa-not-exact = authorities compare every character: the name must be in small letters, without anything around it
caa-malformed = its parameter { $parameter } is malformed
caa-one-account = it is for one account only (accounturi), and it is not known whether that is Closte's
caa-other-method = it does not allow { $method }, which Closte uses for its certificates
caa-restricted = it does not allow this certificate
cname-loop = its CNAMEs form a loop, { $path }
cname-chain = its chain of { $count } CNAMEs is longer than resolvers follow
cname-chain-or-more = its chain of { $count } or more CNAMEs is longer than resolvers follow
long-for-some = its chain of { $count } CNAMEs is longer than some resolvers follow
is-an-address = { $target } is an address, and the target of a CNAME must be a name
is-missing = { $target } does not exist
is-without-address = { $target } has no address
zone-fails = the name servers of { $zone } fail (SERVFAIL)
zone-signatures = the DNSSEC signatures of { $zone } are wrong
leads-on = it leads on to { $target }, and { $reason }
servers-fail = its name servers fail (SERVFAIL)
servers-fail-here = its name servers fail (SERVFAIL), though new names below { $zone } are answered
signatures-wrong = its DNSSEC signatures are wrong, so validating resolvers and Let's Encrypt get no answer
servers-disagree = its name servers do not agree: { $answers }
old-answers = its name servers are right, but { $answers }, for longer than caches may keep an old answer: other name servers, such as those that it had before, still serve it

## {$answers}: one server's answer

says = { $server } says { $answer }
says-no-name = { $server } says that the name does not exist
says-no-address = { $server } says that the name has no address
says-failure = { $server } fails

## {$switch}: how the reader turns a proxy off

dns-only = set the record to "DNS only" (the orange cloud becomes grey)
firewall = take the site out of its firewall
protection = take the site out of its protection
service = take the domain out of its service
distribution = take the domain out of its distribution
pull-zone = take the domain out of its pull zone

## {$target}: where a record points, if not at an address or a name

any-address-in = an address in { $network }
our-address = the network's address

## {$record}: a new record

new-address = an { $kind } record at { $target }
new-cname = a CNAME to { $host }

## {$records}: records that go, after "the"

records = { $count ->
    [one] { $kind } record { $addresses }
   *[other] { $kind } records { $addresses }
}
records-of-both = { $first } and the { $second }

## An address and whose it is

address-of = { $address } ({ $place })
forwarding = { $provider }'s forwarding
website-builder = { $provider }'s website builder
parking = a parking page of { $provider }
forwarding-or-parking = a forwarding or parking page of { $provider }
unreachable = an address that visitors cannot reach

## Lists

and-more = { $list } and { $more } more

## The customer's page

page-skip = Skip to the content
page-steps = The way until visitors get your site
page-step-host = Set up with our host
page-step-dns = DNS
page-step-certificate = Certificate
page-step-site = Your site
page-done = done
page-in-progress = in progress
page-needs-attention = needs attention
page-not-yet = not yet
page-setting-up = We are setting { $name } up.
page-gone = { $name } is not connected to a site any more. If it should be, please ask whoever runs your site.
page-check-again = Check again
page-checked = It was checked just now.
page-checking = The check still runs. This page is loaded again in a moment.
page-too-soon = It was checked less than ten seconds ago. Please wait a moment, then try again.
page-last-checked = Last checked: { $time }
page-not-checked = Not checked yet
page-expired = This link has expired
page-expired-do = Please ask whoever sent it to you for a new one.
page-incomplete = This link is not complete
page-incomplete-do = Please copy all of it, or ask whoever sent it to you for a new one.
page-not-now = Not now
page-not-now-do = Please try again in a few minutes.
