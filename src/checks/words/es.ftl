# Español, tratamiento de usted. El significado de los marcadores está en en.ftl.
# {$records} y {$record} llevan artículo; {$whom} lleva la preposición «a». Ante {$reason} va «porque».

## Oraciones: el estado

works = { $name } funciona.
works-but-ipv6 = { $name } funciona, pero los visitantes con IPv6 llegan a otro servidor.
works-but-not-renewed = { $name } funciona, pero su certificado no se puede renovar.
works-but-not-always = { $name } funciona, pero no siempre.
still-checking = Todavía estamos comprobando { $name }.
setting-up = Su DNS es correcto. Estamos configurando { $name }.
renewing-certificate = { $name } funciona. Estamos renovando su certificado.
issuing-certificate = Su DNS es correcto y se está emitiendo el certificado de { $name }. Suele tardar entre 5 y 10 minutos.
fixing-certificate = Su DNS es correcto. Estamos arreglando el certificado de { $name }; usted no tiene que hacer nada.
checking-certificate = Su DNS es correcto. Todavía estamos comprobando el certificado de { $name }; usted no tiene que hacer nada.
fixing-one-server = Su DNS es correcto. Estamos arreglando uno de los servidores de { $name } ({ $address }); usted no tiene que hacer nada.
fixing-target = El CNAME de { $name } es correcto. Estamos arreglando { $target }; usted no tiene que hacer nada.
switching-on = { $name } apunta a nosotros. Estamos activando su sitio: usted no tiene que hacer nada.
taken-down = El sitio de { $name } se ha retirado. Por favor, póngase en contacto con nosotros.
maintenance = El sitio de { $name } está en mantenimiento: usted no tiene que hacer nada.
suspended = El sitio de { $name } no está abierto a los visitantes: su suscripción ha terminado o aún no se ha publicado. Por favor, inicie sesión en su cuenta o póngase en contacto con nosotros.
server-fails = { $name } apunta a nosotros, pero nuestro servidor no responde como debería. Nos estamos ocupando de ello: usted no tiene que hacer nada.
spreading = Su cambio se está propagando: en unas horas, todos los visitantes recibirán la nueva dirección de { $name }. No tiene que hacer nada más.
broken = El DNS de { $name } no funciona, porque { $reason }.
nobody-may-issue = Los registros CAA de { $name } no permiten que nadie emita su certificado.

## Oraciones: qué hay que hacer

log-in-and = { $log_in } y { $change }.
log-in-and-because = { $log_in } y { $change }, porque { $reason }.
log-in-or-ask = { $log_in } y { $change }, o bien { $request }.
log-in-or-ask-because = { $log_in } y { $change }, o bien { $request }, porque { $reason }.
keeps-changing = Las respuestas DNS para { $name } cambian continuamente. Por favor, inicie sesión donde administra su DNS, { $change } y elimine sus demás registros A, AAAA y CNAME.
switch-and = Por favor, inicie sesión en { $host }, { $switch } y { $change }.
if-that-is-at = Si lo administra en { $host }, { $switch }.
then-log-in-at = Después, inicie sesión en { $host } y { $switch }.
proxy-without-tls = El proxy de { $host } no ofrece TLS para { $name }. Por favor, inicie sesión en { $host } y active allí SSL, o bien { $switch } hasta que el certificado esté listo.
register-first = { $name } no existe en el DNS. Por favor, asegúrese de que { $registered } está registrado y no ha caducado. Después, { $change }.
set-up-first = { $name } no existe en el DNS. Por favor, asegúrese de que { $registered } está configurado con el proveedor de { $suffix }. Después, { $change }.
please = Por favor, { $request }.
please-and-then = Por favor, { $request }. Después, { $change }.
please-because = Por favor, { $request }, porque { $reason }.
please-or-because = Por favor, { $request }, o bien { $change }, porque { $reason }.

## Oraciones: qué sigue

hours = Pueden pasar algunas horas hasta que todos los visitantes vean el cambio.
addresses-stay = { $count ->
    [one] { $addresses } es correcta y se mantiene.
   *[other] { $addresses } son correctas y se mantienen.
}
a-record-stays = El registro A es correcto y se mantiene.
without-that = Sin eso, no se puede emitir ningún certificado para { $name }.

## Dónde iniciar sesión: el comienzo de una oración

log-in-at = Por favor, inicie sesión en { $provider }, donde se administra su DNS,
log-in-where = Por favor, inicie sesión donde administra el DNS de { $zone }

## {$change}

point = apunte el registro { $kind } de { $name } a { $target }
add = añada el registro { $kind } de { $name } con destino a { $target }
add-label = añada a { $zone } el registro { $label }: { $record }
add-beside-wildcard = añada el registro { $kind } de { $name } con destino a { $target } (ahora responde el comodín { $wildcard }, que puede mantenerse)
replace-cname = sustituya el CNAME de { $name } a { $to } por { $record }
replace-any-cname = sustituya el CNAME de { $name } por { $record }
replace-dname = elimine el registro DNAME de { $owner } a { $to }, que redirige todos los nombres por debajo de { $owner }, y añada el registro { $kind } de { $name } con destino a { $target }
replace-alias = sustituya su registro, casi siempre un ALIAS o ANAME sin un destino que funcione, por { $record }
replace-several = sustituya los { $count } registros { $kind } de { $name } por uno solo con destino a { $target }
remove = elimine { $records } de { $name }
and-remove = { $change } y elimine { $records }
and-also = { $first }, y { $second }
add-caa = añada el registro CAA { $record } a { $name }
add-own-caa = añada el registro CAA { $record } al propio { $name }
remove-caa = elimine { $record } de los registros CAA de { $name }
remove-and-add-caa = elimine { $record } de los registros CAA de { $name } y añada { $right }
replace-caa = sustituya el registro CAA { $record } de { $name } por { $right }

## {$request}

ask-to-add-caa = pida { $whom } que añada el registro CAA { $record } a { $name }
ask-to-remove-caa = pida { $whom } que elimine { $record } de los registros CAA de { $name }
ask-to-remove-and-add-caa = pida { $whom } que elimine { $record } de los registros CAA de { $name } y añada { $right }
ask-to-replace-caa = pida { $whom } que sustituya el registro CAA { $record } de { $name } por { $right }
ask-to-answer-caa = pida { $whom } que haga que sus servidores de nombres respondan a las consultas de registros CAA de { $name }
ask-to-remove = pida { $whom } que elimine { $records }
ask-to-correct-ds = pida { $whom } que haga eliminar o corregir el registro DS { $delegation }
ask-to-agree = pida { $whom } que haga que todos los servidores de nombres respondan lo mismo: el registro { $kind } de { $name } con destino a { $target }
ask-to-shorten = pida { $whom } que haga acortar la cadena: { $change }
ask-to-shorten-to = pida { $whom } que haga reducir la cadena al registro { $kind } de { $name } con destino a { $target }
ask-to-answer = pida { $whom } que haga que los servidores de nombres de { $zone } respondan, o que los corrija { $delegation }

## {$whom}

provider = a { $provider }
provider-of = al proveedor de DNS de { $zone }
its-provider = a su proveedor de DNS
owner-of = al propietario de { $name }

## {$delegation}

in-parent = en { $zone }
at-registrar = en el registrador

## {$reason}

nobody-allowed = los registros CAA de { $name } no permiten que nadie emita un certificado
only-allowed = los registros CAA de { $name } solo permiten la emisión de certificados a { $authorities }
critical-unknown = las autoridades que no conocen un registro marcado como crítico se niegan a emitir
caa-unreachable = los registros CAA no se pueden consultar, y entonces ninguna autoridad puede emitir un certificado
caa-not-exact = las autoridades comparan cada carácter: el nombre debe estar en minúsculas y sin nada alrededor
caa-malformed = el parámetro { $parameter } del registro actual está mal formado
caa-one-account = el registro actual es solo para una cuenta (accounturi), y no se sabe si es la de Closte
caa-other-method = el registro actual no permite { $method }, que Closte utiliza para sus certificados
caa-restricted = el registro actual no permite este certificado
cname-loop = sus CNAME forman un bucle ({ $path })
cname-chain = su cadena de { $count } CNAME es más larga de lo que siguen los servidores de resolución
cname-chain-or-more = su cadena de { $count } CNAME o más es más larga de lo que siguen los servidores de resolución
long-for-some = su cadena de { $count } CNAME es más larga de lo que siguen algunos servidores de resolución
is-an-address = { $target } es una dirección, y el destino de un CNAME debe ser un nombre
is-missing = { $target } no existe
is-without-address = { $target } no tiene dirección
zone-fails = los servidores de nombres de { $zone } fallan (SERVFAIL)
zone-signatures = las firmas DNSSEC de { $zone } son incorrectas
leads-on = el CNAME lleva a { $target }, y { $reason }
servers-fail = sus servidores de nombres fallan (SERVFAIL)
servers-fail-here = sus servidores de nombres fallan (SERVFAIL), aunque sí responden por nombres nuevos debajo de { $zone }
signatures-wrong = sus firmas DNSSEC son incorrectas, así que los servidores que las validan y Let's Encrypt no obtienen respuesta
servers-disagree = sus servidores de nombres no coinciden: { $answers }
old-answers = sus servidores de nombres responden bien, pero { $answers }, durante más tiempo del que las cachés pueden conservar una respuesta antigua: otros servidores de nombres, como los que tenía antes, todavía la dan

## {$answers}

says = { $server } responde { $answer }
says-no-name = { $server } responde que el nombre no existe
says-no-address = { $server } responde que el nombre no tiene dirección
says-failure = { $server } falla

## {$switch}

dns-only = ponga el registro en «Solo DNS» («DNS only»; la nube naranja se vuelve gris)
firewall = saque el sitio de su cortafuegos
protection = saque el sitio de su protección
service = saque el dominio de su servicio
distribution = saque el dominio de su distribución
pull-zone = saque el dominio de su «pull zone»

## {$target}

any-address-in = una dirección de { $network }
our-address = la dirección de nuestra red

## {$record}

new-address = un registro { $kind } con destino a { $target }
new-cname = un CNAME a { $host }

## {$records}

records = { $count ->
    [one] el registro { $kind } { $addresses }
   *[other] los registros { $kind } { $addresses }
}
records-of-both = { $first } y { $second }

## Una dirección y de quién es

address-of = { $address } ({ $place })
forwarding = redirección de { $provider }
website-builder = creador de sitios web de { $provider }
parking = página de «parking» de { $provider }
forwarding-or-parking = página de redirección o de «parking» de { $provider }
unreachable = una dirección que los visitantes no pueden alcanzar

## Listas

and-more = { $list } y { $more } más

## La página del cliente

page-skip = Ir al contenido
page-steps = El camino hasta que los visitantes vean su sitio
page-step-host = Configurado en nuestro alojamiento
page-step-dns = DNS
page-step-certificate = Certificado
page-step-site = Su sitio
page-done = hecho
page-in-progress = en curso
page-needs-attention = requiere atención
page-not-yet = todavía no
page-setting-up = Estamos configurando { $name }.
page-gone = { $name } ya no está conectado a ningún sitio. Si debería estarlo, consulte a quien administra su sitio.
page-check-again = Comprobar de nuevo
page-checked = Se acaba de comprobar.
page-checking = La comprobación sigue en curso. Esta página se volverá a cargar en un momento.
page-too-soon = Se comprobó hace menos de diez segundos. Espere un momento e inténtelo de nuevo.
page-last-checked = Última comprobación: { $time }
page-not-checked = Sin comprobar todavía
page-expired = Este enlace ha caducado
page-expired-do = Por favor, pida uno nuevo a quien se lo envió.
page-incomplete = Este enlace está incompleto
page-incomplete-do = Por favor, cópielo entero o pida uno nuevo a quien se lo envió.
page-not-now = Ahora no es posible
page-not-now-do = Por favor, inténtelo de nuevo en unos minutos.
