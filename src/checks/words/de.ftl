# Deutsch, Anrede: Sie. Was die Platzhalter bedeuten, steht in en.ftl.
# {$records}, {$record} und {$whom} stehen im Akkusativ, mit Artikel. Vor {$reason} steht „denn“.

## Sätze: wie es steht

works = { $name } funktioniert.
works-but-ipv6 = { $name } funktioniert, aber Besucher mit IPv6 gelangen auf einen anderen Server.
works-but-not-renewed = { $name } funktioniert, aber das Zertifikat kann nicht erneuert werden.
works-but-not-always = { $name } funktioniert, aber nicht immer.
still-checking = Wir prüfen { $name } noch.
setting-up = Ihr DNS ist richtig eingestellt. Wir richten { $name } gerade ein.
renewing-certificate = { $name } funktioniert. Wir erneuern gerade das Zertifikat.
issuing-certificate = Ihr DNS ist richtig eingestellt, und das Zertifikat für { $name } wird gerade ausgestellt. Das dauert normalerweise 5 bis 10 Minuten.
fixing-certificate = Ihr DNS ist richtig eingestellt. Wir bringen das Zertifikat für { $name } in Ordnung; Sie müssen nichts tun.
checking-certificate = Ihr DNS ist richtig eingestellt. Wir prüfen noch das Zertifikat für { $name }; Sie müssen nichts tun.
fixing-one-server = Ihr DNS ist richtig eingestellt. Wir bringen einen der Server für { $name } in Ordnung ({ $address }); Sie müssen nichts tun.
fixing-target = Der CNAME von { $name } ist richtig. Wir bringen { $target } in Ordnung; Sie müssen nichts tun.
switching-on = { $name } zeigt auf uns. Wir schalten Ihre Website gerade frei: Sie müssen nichts tun.
taken-down = Die Website von { $name } wurde abgeschaltet. Bitte wenden Sie sich an uns.
maintenance = Die Website von { $name } wird gerade gewartet: Sie müssen nichts tun.
suspended = Die Website von { $name } ist für Besucher gesperrt: Die Mitgliedschaft ist abgelaufen, oder die Website wurde noch nicht veröffentlicht. Bitte melden Sie sich in Ihrem Konto an oder kontaktieren Sie uns.
server-fails = { $name } zeigt auf uns, und unser Server antwortet nicht, wie er soll. Wir kümmern uns darum: Sie müssen nichts tun.
spreading = Ihre Änderung verbreitet sich: Innerhalb einiger Stunden erhalten alle Besucher die neue Adresse von { $name }. Sie müssen nichts weiter tun.
broken = Das DNS von { $name } ist gestört, denn { $reason }.
nobody-may-issue = Die CAA-Einträge von { $name } erlauben niemandem, das Zertifikat auszustellen.

## Sätze: was zu tun ist

log-in-and = { $log_in } und { $change }.
log-in-and-because = { $log_in } und { $change }, denn { $reason }.
log-in-or-ask = { $log_in } und { $change }, oder { $request }.
log-in-or-ask-because = { $log_in } und { $change }, oder { $request }, denn { $reason }.
keeps-changing = Die DNS-Antworten für { $name } wechseln ständig. Bitte melden Sie sich dort an, wo Sie das DNS verwalten, { $change } und entfernen Sie die übrigen A-, AAAA- und CNAME-Einträge dieses Namens.
switch-and = Bitte melden Sie sich bei { $host } an, { $switch } und { $change }.
if-that-is-at = Falls Sie das DNS bei { $host } verwalten, { $switch }.
then-log-in-at = Melden Sie sich danach bei { $host } an und { $switch }.
proxy-without-tls = Der Proxy bei { $host } bietet für { $name } kein TLS an. Bitte melden Sie sich bei { $host } an und schalten Sie dort SSL ein. Oder { $switch }, bis das Zertifikat da ist.
register-first = { $name } gibt es im DNS nicht. Bitte stellen Sie sicher, dass { $registered } registriert und nicht abgelaufen ist. Danach { $change }.
set-up-first = { $name } gibt es im DNS nicht. Bitte stellen Sie sicher, dass { $registered } beim Anbieter von { $suffix } eingerichtet ist. Danach { $change }.
please = Bitte { $request }.
please-and-then = Bitte { $request }. Danach { $change }.
please-because = Bitte { $request }, denn { $reason }.
please-or-because = Bitte { $request }, oder { $change }, denn { $reason }.

## Sätze: was folgt

hours = Es kann einige Stunden dauern, bis alle Besucher die Änderung sehen.
addresses-stay = { $count ->
    [one] { $addresses } ist richtig und bleibt.
   *[other] { $addresses } sind richtig und bleiben.
}
a-record-stays = Der A-Eintrag ist richtig und bleibt.
without-that = Sonst kann für { $name } kein Zertifikat ausgestellt werden.

## Wo man sich anmeldet: der Anfang eines Satzes

log-in-at = Bitte melden Sie sich bei { $provider } an, wo Ihr DNS verwaltet wird,
log-in-where = Bitte melden Sie sich dort an, wo Sie das DNS von { $zone } verwalten,

## {$change}

point = lassen Sie den { $kind }-Eintrag von { $name } auf { $target } zeigen
add = legen Sie für { $name } einen { $kind }-Eintrag auf { $target } an
add-label = legen Sie in { $zone } den Eintrag { $label } an, und zwar { $record }
add-beside-wildcard = legen Sie für { $name } einen { $kind }-Eintrag auf { $target } an (derzeit antwortet der Wildcard-Eintrag { $wildcard }, der bleiben darf)
replace-cname = ersetzen Sie den CNAME von { $name } auf { $to } durch { $record }
replace-any-cname = ersetzen Sie den CNAME von { $name } durch { $record }
replace-dname = entfernen Sie den DNAME-Eintrag von { $owner } auf { $to }, der alle Namen unterhalb von { $owner } umleitet, und legen Sie für { $name } einen { $kind }-Eintrag auf { $target } an
replace-alias = ersetzen Sie den Eintrag dieses Namens, meist einen ALIAS oder ANAME ohne funktionierendes Ziel, durch { $record }
replace-several = ersetzen Sie die { $count } { $kind }-Einträge von { $name } durch einen einzigen auf { $target }
remove = entfernen Sie { $records } von { $name }
and-remove = { $change } und entfernen Sie { $records }
and-also = { $first } und { $second }
add-caa = ergänzen Sie bei { $name } den CAA-Eintrag { $record }
add-own-caa = ergänzen Sie bei { $name } selbst den CAA-Eintrag { $record }
remove-caa = entfernen Sie { $record } aus den CAA-Einträgen von { $name }
remove-and-add-caa = entfernen Sie { $record } aus den CAA-Einträgen von { $name } und ergänzen Sie { $right }
replace-caa = ersetzen Sie den CAA-Eintrag { $record } von { $name } durch { $right }

## {$request}

ask-to-add-caa = wenden Sie sich an { $whom } mit der Bitte, bei { $name } den CAA-Eintrag { $record } zu ergänzen
ask-to-remove-caa = wenden Sie sich an { $whom } mit der Bitte, { $record } aus den CAA-Einträgen von { $name } zu entfernen
ask-to-remove-and-add-caa = wenden Sie sich an { $whom } mit der Bitte, { $record } aus den CAA-Einträgen von { $name } zu entfernen und { $right } zu ergänzen
ask-to-replace-caa = wenden Sie sich an { $whom } mit der Bitte, den CAA-Eintrag { $record } von { $name } durch { $right } zu ersetzen
ask-to-answer-caa = wenden Sie sich an { $whom } mit der Bitte, dafür zu sorgen, dass die Nameserver Abfragen nach CAA-Einträgen von { $name } beantworten
ask-to-remove = wenden Sie sich an { $whom } mit der Bitte, { $records } zu entfernen
ask-to-correct-ds = wenden Sie sich an { $whom } mit der Bitte, den DS-Eintrag { $delegation } entfernen oder berichtigen zu lassen
ask-to-agree = wenden Sie sich an { $whom } mit der Bitte, dafür zu sorgen, dass alle Nameserver dasselbe antworten, nämlich den { $kind }-Eintrag von { $name } auf { $target }
ask-to-shorten = wenden Sie sich an { $whom } mit der Bitte, die Kette verkürzen zu lassen: { $change }
ask-to-shorten-to = wenden Sie sich an { $whom } mit der Bitte, die Kette auf den { $kind }-Eintrag von { $name } auf { $target } verkürzen zu lassen
ask-to-answer = wenden Sie sich an { $whom } mit der Bitte, dafür zu sorgen, dass die Nameserver von { $zone } antworten, oder sie { $delegation } zu berichtigen

## {$whom}

provider = { $provider }
provider-of = den DNS-Anbieter von { $zone }
its-provider = Ihren DNS-Anbieter
owner-of = den Inhaber von { $name }

## {$delegation}

in-parent = in { $zone }
at-registrar = beim Registrar

## {$reason}

nobody-allowed = die CAA-Einträge von { $name } erlauben niemandem, ein Zertifikat auszustellen
only-allowed = die CAA-Einträge von { $name } erlauben nur { $authorities }, ein Zertifikat auszustellen
critical-unknown = Zertifizierungsstellen, die einen als kritisch markierten Eintrag nicht kennen, lehnen die Ausstellung ab
caa-unreachable = die CAA-Einträge lassen sich nicht abfragen, und dann darf keine Zertifizierungsstelle ein Zertifikat ausstellen
caa-not-exact = Zertifizierungsstellen vergleichen jedes Zeichen, und der Name muss in Kleinbuchstaben und ohne etwas davor oder danach stehen
caa-malformed = im bisherigen Eintrag ist der Parameter { $parameter } fehlerhaft
caa-one-account = der bisherige Eintrag gilt nur für ein einziges Konto (accounturi), und es ist nicht bekannt, ob es das von Closte ist
caa-other-method = der bisherige Eintrag erlaubt { $method } nicht, das Closte für seine Zertifikate verwendet
caa-restricted = der bisherige Eintrag erlaubt dieses Zertifikat nicht
cname-loop = die CNAMEs bilden eine Schleife ({ $path })
cname-chain = die Kette aus { $count } CNAMEs ist länger, als Resolver ihr folgen
cname-chain-or-more = die Kette aus { $count } oder mehr CNAMEs ist länger, als Resolver ihr folgen
long-for-some = die Kette aus { $count } CNAMEs ist länger, als manche Resolver ihr folgen
is-an-address = { $target } ist eine Adresse, und das Ziel eines CNAME muss ein Name sein
is-missing = { $target } existiert nicht
is-without-address = { $target } hat keine Adresse
zone-fails = die Nameserver von { $zone } melden einen Fehler (SERVFAIL)
zone-signatures = die DNSSEC-Signaturen von { $zone } sind falsch
leads-on = der CNAME führt weiter zu { $target }, und { $reason }
servers-fail = die zuständigen Nameserver melden einen Fehler (SERVFAIL)
servers-fail-here = die zuständigen Nameserver melden einen Fehler (SERVFAIL), obwohl sie neue Namen unterhalb von { $zone } beantworten
signatures-wrong = die DNSSEC-Signaturen sind falsch, sodass prüfende Resolver und Let's Encrypt keine Antwort erhalten
servers-disagree = die zuständigen Nameserver sind sich nicht einig: { $answers }
old-answers = die zuständigen Nameserver antworten zwar richtig, aber { $answers }, und das länger, als Caches eine alte Antwort behalten dürfen: Andere Nameserver, etwa frühere, liefern noch immer die alte Antwort

## {$answers}

says = { $server } antwortet { $answer }
says-no-name = { $server } kennt den Namen nicht
says-no-address = { $server } kennt keine Adresse des Namens
says-failure = { $server } meldet einen Fehler

## {$switch}

dns-only = stellen Sie den Eintrag auf „Nur DNS“ („DNS only“; die orangefarbene Wolke wird grau)
firewall = nehmen Sie die Website aus der Firewall heraus
protection = nehmen Sie die Website aus dem Schutz heraus
service = nehmen Sie die Domain aus dem Dienst heraus
distribution = nehmen Sie die Domain aus der Distribution heraus
pull-zone = nehmen Sie die Domain aus der Pull-Zone heraus

## {$target}

any-address-in = eine Adresse in { $network }
our-address = die Adresse unseres Netzwerks

## {$record}

new-address = einen { $kind }-Eintrag auf { $target }
new-cname = einen CNAME auf { $host }

## {$records}

records = { $count ->
    [one] den { $kind }-Eintrag { $addresses }
   *[other] die { $kind }-Einträge { $addresses }
}
records-of-both = { $first } und { $second }

## Eine Adresse und wem sie gehört

address-of = { $address } ({ $place })
forwarding = Weiterleitung von { $provider }
website-builder = Website-Baukasten von { $provider }
parking = Parkseite von { $provider }
forwarding-or-parking = Weiterleitung oder Parkseite von { $provider }
unreachable = für Besucher nicht erreichbar

## Listen

and-more = { $list } und { $more } weitere

## Die Seite des Kunden

page-skip = Zum Inhalt springen
page-steps = Der Weg, bis Besucher Ihre Website sehen
page-step-host = Bei unserem Hoster eingerichtet
page-step-dns = DNS
page-step-certificate = Zertifikat
page-step-site = Ihre Website
page-done = erledigt
page-in-progress = in Arbeit
page-needs-attention = bitte ansehen
page-not-yet = noch nicht
page-setting-up = Wir richten { $name } gerade ein.
page-gone = { $name } ist mit keiner Website mehr verbunden. Wenn das nicht so sein soll, fragen Sie bitte dort nach, wo Ihre Website betreut wird.
page-check-again = Erneut prüfen
page-checked = Die Prüfung wurde gerade ausgeführt.
page-checking = Die Prüfung läuft noch. Diese Seite wird gleich neu geladen.
page-too-soon = Die letzte Prüfung ist keine zehn Sekunden her. Bitte warten Sie einen Moment und versuchen Sie es dann erneut.
page-last-checked = Zuletzt geprüft: { $time }
page-not-checked = Noch nicht geprüft
page-expired = Dieser Link ist abgelaufen
page-expired-do = Bitte lassen Sie sich von der Person, die ihn geschickt hat, einen neuen geben.
page-incomplete = Dieser Link ist unvollständig
page-incomplete-do = Bitte kopieren Sie ihn ganz, oder lassen Sie sich von der Person, die ihn geschickt hat, einen neuen geben.
page-not-now = Gerade nicht möglich
page-not-now-do = Bitte versuchen Sie es in einigen Minuten erneut.
