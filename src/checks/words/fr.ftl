# Français, vouvoiement. Le sens des marqueurs est expliqué dans en.ftl.
# {$records} et {$record} portent l'article ; {$whom} porte la préposition « à ». Devant {$reason} : « car ».

## Phrases : où en est le domaine

works = { $name } fonctionne.
works-but-ipv6 = { $name } fonctionne, mais les visiteurs en IPv6 arrivent sur un autre serveur.
works-but-not-renewed = { $name } fonctionne, mais son certificat ne peut pas être renouvelé.
works-but-not-always = { $name } fonctionne, mais pas toujours.
still-checking = Nous vérifions encore { $name }.
setting-up = Votre DNS est correct. Nous mettons { $name } en place.
renewing-certificate = { $name } fonctionne. Nous renouvelons son certificat.
issuing-certificate = Votre DNS est correct, et le certificat de { $name } est en cours d'émission. Cela prend généralement de 5 à 10 minutes.
fixing-certificate = Votre DNS est correct. Nous réparons le certificat de { $name } ; vous n'avez rien à faire.
checking-certificate = Votre DNS est correct. Nous vérifions encore le certificat de { $name } ; vous n'avez rien à faire.
fixing-one-server = Votre DNS est correct. Nous réparons l'un des serveurs de { $name } ({ $address }) ; vous n'avez rien à faire.
fixing-target = Le CNAME de { $name } est correct. Nous réparons { $target } ; vous n'avez rien à faire.
switching-on = { $name } pointe vers nous. Nous activons votre site : vous n'avez rien à faire.
taken-down = Le site de { $name } a été retiré. Veuillez nous contacter.
maintenance = Le site de { $name } est en maintenance : vous n'avez rien à faire.
suspended = Le site de { $name } n'est pas ouvert aux visiteurs : son abonnement a pris fin, ou il n'est pas encore publié. Veuillez vous connecter à votre compte ou nous contacter.
server-fails = { $name } pointe vers nous, mais notre serveur ne répond pas comme il le devrait. Nous nous en occupons : vous n'avez rien à faire.
spreading = Votre modification se propage : d'ici quelques heures, tous les visiteurs recevront la nouvelle adresse de { $name }. Vous n'avez plus rien à faire.
broken = Le DNS de { $name } ne fonctionne pas, car { $reason }.
nobody-may-issue = Les enregistrements CAA de { $name } n'autorisent personne à émettre son certificat.

## Phrases : que faire

log-in-and = { $log_in } et { $change }.
log-in-and-because = { $log_in } et { $change }, car { $reason }.
log-in-or-ask = { $log_in } et { $change }, ou bien { $request }.
log-in-or-ask-because = { $log_in } et { $change }, ou bien { $request }, car { $reason }.
keeps-changing = Les réponses DNS pour { $name } changent sans cesse. Connectez-vous là où vous gérez son DNS, { $change } et supprimez ses autres enregistrements A, AAAA et CNAME.
switch-and = Connectez-vous chez { $host }, { $switch } et { $change }.
if-that-is-at = Si vous le gérez chez { $host }, { $switch }.
then-log-in-at = Connectez-vous ensuite chez { $host } et { $switch }.
proxy-without-tls = Le proxy de { $host } n'offre pas de TLS pour { $name }. Connectez-vous chez { $host } et activez-y SSL, ou bien { $switch } jusqu'à ce que le certificat soit prêt.
register-first = { $name } n'existe pas dans le DNS. Vérifiez que { $registered } est enregistré et n'a pas expiré. Ensuite, { $change }.
set-up-first = { $name } n'existe pas dans le DNS. Vérifiez que { $registered } est configuré auprès du fournisseur de { $suffix }. Ensuite, { $change }.
please = S'il vous plaît, { $request }.
please-and-then = S'il vous plaît, { $request }. Ensuite, { $change }.
please-because = S'il vous plaît, { $request }, car { $reason }.
please-or-because = S'il vous plaît, { $request }, ou bien { $change }, car { $reason }.

## Phrases : la suite

hours = Il peut s'écouler quelques heures avant que tous les visiteurs voient la modification.
addresses-stay = { $count ->
    [one] { $addresses } est correcte et reste en place.
   *[other] { $addresses } sont correctes et restent en place.
}
a-record-stays = L'enregistrement A est correct et reste en place.
without-that = Sans cela, aucun certificat ne peut être émis pour { $name }.

## Où se connecter : le début d'une phrase

log-in-at = Connectez-vous chez { $provider }, qui gère votre DNS,
log-in-where = Connectez-vous là où vous gérez le DNS de { $zone }

## {$change}

point = faites pointer l'enregistrement { $kind } de { $name } vers { $target }
add = ajoutez l'enregistrement { $kind } de { $name } vers { $target }
add-label = ajoutez à { $zone } l'enregistrement { $label }, à savoir { $record }
add-beside-wildcard = ajoutez l'enregistrement { $kind } de { $name } vers { $target } (pour l'instant, c'est l'enregistrement générique { $wildcard } qui répond ; il peut rester)
replace-cname = remplacez le CNAME de { $name } vers { $to } par { $record }
replace-any-cname = remplacez le CNAME de { $name } par { $record }
replace-dname = supprimez l'enregistrement DNAME de { $owner } vers { $to }, qui redirige tous les noms sous { $owner }, et ajoutez l'enregistrement { $kind } de { $name } vers { $target }
replace-alias = remplacez son enregistrement, le plus souvent un ALIAS ou un ANAME sans cible valable, par { $record }
replace-several = remplacez les { $count } enregistrements { $kind } de { $name } par un seul vers { $target }
remove = supprimez { $records } de { $name }
and-remove = { $change } et supprimez { $records }
and-also = { $first }, et { $second }
add-caa = ajoutez l'enregistrement CAA { $record } à { $name }
add-own-caa = ajoutez l'enregistrement CAA { $record } à { $name } même
remove-caa = supprimez { $record } des enregistrements CAA de { $name }
remove-and-add-caa = supprimez { $record } des enregistrements CAA de { $name } et ajoutez { $right }
replace-caa = remplacez l'enregistrement CAA { $record } de { $name } par { $right }

## {$request}

ask-to-add-caa = demandez { $whom } d'ajouter l'enregistrement CAA { $record } à { $name }
ask-to-remove-caa = demandez { $whom } de supprimer { $record } des enregistrements CAA de { $name }
ask-to-remove-and-add-caa = demandez { $whom } de supprimer { $record } des enregistrements CAA de { $name } et d'ajouter { $right }
ask-to-replace-caa = demandez { $whom } de remplacer l'enregistrement CAA { $record } de { $name } par { $right }
ask-to-answer-caa = demandez { $whom } de faire en sorte que ses serveurs de noms répondent aux requêtes sur les enregistrements CAA de { $name }
ask-to-remove = demandez { $whom } de supprimer { $records }
ask-to-correct-ds = demandez { $whom } de faire supprimer ou corriger l'enregistrement DS { $delegation }
ask-to-agree = demandez { $whom } de faire en sorte que tous les serveurs de noms donnent la même réponse : l'enregistrement { $kind } de { $name } vers { $target }
ask-to-shorten = demandez { $whom } de faire raccourcir la chaîne : { $change }
ask-to-shorten-to = demandez { $whom } de faire réduire la chaîne à l'enregistrement { $kind } de { $name } vers { $target }
ask-to-answer = demandez { $whom } de faire en sorte que les serveurs de noms de { $zone } répondent, ou de les corriger { $delegation }

## {$whom}

provider = à { $provider }
provider-of = au fournisseur DNS de { $zone }
its-provider = à votre fournisseur DNS
owner-of = au propriétaire de { $name }

## {$delegation}

in-parent = dans { $zone }
at-registrar = auprès du bureau d'enregistrement

## {$reason}

nobody-allowed = les enregistrements CAA de { $name } n'autorisent personne à émettre un certificat
only-allowed = les enregistrements CAA de { $name } n'autorisent que { $authorities } à émettre un certificat
critical-unknown = les autorités qui ne connaissent pas un enregistrement marqué comme critique refusent d'émettre
caa-unreachable = les enregistrements CAA ne peuvent pas être consultés, et dans ce cas aucune autorité ne peut émettre de certificat
caa-not-exact = les autorités comparent chaque caractère : le nom doit être en minuscules, sans rien autour
caa-malformed = le paramètre { $parameter } de l'enregistrement actuel est mal formé
caa-one-account = l'enregistrement actuel ne vaut que pour un seul compte (accounturi), et on ignore si c'est celui de Closte
caa-other-method = l'enregistrement actuel n'autorise pas { $method }, que Closte utilise pour ses certificats
caa-restricted = l'enregistrement actuel n'autorise pas ce certificat
cname-loop = ses CNAME forment une boucle ({ $path })
cname-chain = sa chaîne de { $count } CNAME est plus longue que ce que suivent les résolveurs
cname-chain-or-more = sa chaîne de { $count } CNAME ou plus est plus longue que ce que suivent les résolveurs
long-for-some = sa chaîne de { $count } CNAME est plus longue que ce que suivent certains résolveurs
is-an-address = { $target } est une adresse, et la cible d'un CNAME doit être un nom
is-missing = { $target } n'existe pas
is-without-address = { $target } n'a pas d'adresse
zone-fails = les serveurs de noms de { $zone } sont en échec (SERVFAIL)
zone-signatures = les signatures DNSSEC de { $zone } sont fausses
leads-on = le CNAME mène à { $target }, et { $reason }
servers-fail = ses serveurs de noms sont en échec (SERVFAIL)
servers-fail-here = ses serveurs de noms sont en échec (SERVFAIL), alors qu'ils répondent pour de nouveaux noms sous { $zone }
signatures-wrong = ses signatures DNSSEC sont fausses, si bien que les résolveurs qui les valident et Let's Encrypt n'obtiennent pas de réponse
servers-disagree = ses serveurs de noms ne sont pas d'accord : { $answers }
old-answers = ses serveurs de noms répondent correctement, mais { $answers }, et cela depuis plus longtemps que les caches ne peuvent garder une ancienne réponse : d'autres serveurs de noms, comme les précédents, la donnent encore

## {$answers}

says = { $server } répond { $answer }
says-no-name = { $server } répond que le nom n'existe pas
says-no-address = { $server } répond que le nom n'a pas d'adresse
says-failure = { $server } est en échec

## {$switch}

dns-only = passez l'enregistrement en « DNS uniquement » (« DNS only » ; le nuage orange devient gris)
firewall = retirez le site de son pare-feu
protection = retirez le site de sa protection
service = retirez le domaine de son service
distribution = retirez le domaine de sa distribution
pull-zone = retirez le domaine de sa « pull zone »

## {$target}

any-address-in = une adresse de { $network }
our-address = l'adresse de notre réseau

## {$record}

new-address = un enregistrement { $kind } vers { $target }
new-cname = un CNAME vers { $host }

## {$records}

records = { $count ->
    [one] l'enregistrement { $kind } { $addresses }
   *[other] les enregistrements { $kind } { $addresses }
}
records-of-both = { $first } et { $second }

## Une adresse et son propriétaire

address-of = { $address } ({ $place })
forwarding = redirection de { $provider }
website-builder = créateur de sites de { $provider }
parking = page parking de { $provider }
forwarding-or-parking = page de redirection ou page parking de { $provider }
unreachable = une adresse que les visiteurs ne peuvent pas atteindre

## Listes

and-more = { $list } et { $more } de plus

## La page du client

page-skip = Aller au contenu
page-steps = Les étapes jusqu'à ce que les visiteurs voient votre site
page-step-host = Configuré chez notre hébergeur
page-step-dns = DNS
page-step-certificate = Certificat
page-step-site = Votre site
page-done = fait
page-in-progress = en cours
page-needs-attention = à corriger
page-not-yet = pas encore
page-setting-up = Nous configurons { $name }.
page-gone = { $name } n'est plus relié à un site. S'il devait l'être, veuillez vous adresser à la personne qui gère votre site.
page-check-again = Vérifier à nouveau
page-checked = La vérification vient d'être faite.
page-checking = La vérification est encore en cours. Cette page sera rechargée dans un instant.
page-too-soon = La dernière vérification date de moins de dix secondes. Veuillez patienter un instant, puis réessayer.
page-last-checked = Dernière vérification : { $time }
page-not-checked = Pas encore vérifié
page-expired = Ce lien a expiré
page-expired-do = Veuillez en demander un nouveau à la personne qui vous l'a envoyé.
page-incomplete = Ce lien est incomplet
page-incomplete-do = Veuillez le copier en entier, ou en demander un nouveau à la personne qui vous l'a envoyé.
page-not-now = Impossible pour le moment
page-not-now-do = Veuillez réessayer dans quelques minutes.
