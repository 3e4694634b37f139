# Português do Brasil, tratamento por você. O significado dos marcadores está em en.ftl.
# {$records} e {$record} levam artigo; {$whom} leva a preposição "a". Antes de {$reason} vem "pois".

## Frases: a situação

works = { $name } funciona.
works-but-ipv6 = { $name } funciona, mas os visitantes com IPv6 chegam a outro servidor.
works-but-not-renewed = { $name } funciona, mas o certificado não pode ser renovado.
works-but-not-always = { $name } funciona, mas nem sempre.
still-checking = Ainda estamos verificando { $name }.
setting-up = O seu DNS está correto. Estamos configurando { $name }.
renewing-certificate = { $name } funciona. Estamos renovando o certificado.
issuing-certificate = O seu DNS está correto, e o certificado de { $name } está sendo emitido. Isso costuma levar de 5 a 10 minutos.
fixing-certificate = O seu DNS está correto. Estamos corrigindo o certificado de { $name }; você não precisa fazer nada.
checking-certificate = O seu DNS está correto. Ainda estamos verificando o certificado de { $name }; você não precisa fazer nada.
fixing-one-server = O seu DNS está correto. Estamos corrigindo um dos servidores de { $name } ({ $address }); você não precisa fazer nada.
fixing-target = O CNAME de { $name } está correto. Estamos corrigindo { $target }; você não precisa fazer nada.
switching-on = { $name } aponta para nós. Estamos ativando o seu site: você não precisa fazer nada.
taken-down = O site de { $name } foi retirado do ar. Por favor, entre em contato conosco.
maintenance = O site de { $name } está em manutenção: você não precisa fazer nada.
suspended = O site de { $name } não está aberto aos visitantes: a assinatura terminou ou ele ainda não foi publicado. Por favor, entre na sua conta ou fale conosco.
server-fails = { $name } aponta para nós, mas o nosso servidor não responde como deveria. Já estamos cuidando disso: você não precisa fazer nada.
spreading = A sua alteração está se propagando: em algumas horas, todos os visitantes receberão o novo endereço de { $name }. Você não precisa fazer mais nada.
broken = O DNS de { $name } está com problema, pois { $reason }.
nobody-may-issue = Os registros CAA de { $name } não permitem que ninguém emita o certificado.

## Frases: o que fazer

log-in-and = { $log_in } e { $change }.
log-in-and-because = { $log_in } e { $change }, pois { $reason }.
log-in-or-ask = { $log_in } e { $change }, ou então { $request }.
log-in-or-ask-because = { $log_in } e { $change }, ou então { $request }, pois { $reason }.
keeps-changing = As respostas de DNS para { $name } mudam o tempo todo. Por favor, faça login onde você administra o DNS dele, { $change } e remova os outros registros A, AAAA e CNAME desse nome.
switch-and = Por favor, faça login em { $host }, { $switch } e { $change }.
if-that-is-at = Se você o administra em { $host }, { $switch }.
then-log-in-at = Depois, faça login em { $host } e { $switch }.
proxy-without-tls = O proxy de { $host } não oferece TLS para { $name }. Por favor, faça login em { $host } e ative o SSL, ou então { $switch } até que o certificado esteja pronto.
register-first = { $name } não existe no DNS. Por favor, verifique se { $registered } está registrado e não expirou. Depois, { $change }.
set-up-first = { $name } não existe no DNS. Por favor, verifique se { $registered } está configurado no provedor de { $suffix }. Depois, { $change }.
please = Por favor, { $request }.
please-and-then = Por favor, { $request }. Depois, { $change }.
please-because = Por favor, { $request }, pois { $reason }.
please-or-because = Por favor, { $request }, ou então { $change }, pois { $reason }.

## Frases: o que vem depois

hours = Pode levar algumas horas até que todos os visitantes vejam a alteração.
addresses-stay = { $count ->
    [one] { $addresses } está correto e permanece.
   *[other] { $addresses } estão corretos e permanecem.
}
a-record-stays = O registro A está correto e permanece.
without-that = Sem isso, nenhum certificado pode ser emitido para { $name }.

## Onde fazer login: o começo de uma frase

log-in-at = Por favor, faça login em { $provider }, onde o seu DNS é administrado,
log-in-where = Por favor, faça login onde você administra o DNS de { $zone }

## {$change}

point = aponte o registro { $kind } de { $name } para { $target }
add = adicione o registro { $kind } de { $name } apontando para { $target }
add-label = adicione a { $zone } o registro { $label }: { $record }
add-beside-wildcard = adicione o registro { $kind } de { $name } apontando para { $target } (hoje responde o curinga { $wildcard }, que pode permanecer)
replace-cname = substitua o CNAME de { $name } para { $to } por { $record }
replace-any-cname = substitua o CNAME de { $name } por { $record }
replace-dname = remova o registro DNAME de { $owner } para { $to }, que redireciona todos os nomes abaixo de { $owner }, e adicione o registro { $kind } de { $name } apontando para { $target }
replace-alias = substitua o registro desse nome, quase sempre um ALIAS ou ANAME sem um destino que funcione, por { $record }
replace-several = substitua os { $count } registros { $kind } de { $name } por um só, apontando para { $target }
remove = remova { $records } de { $name }
and-remove = { $change } e remova { $records }
and-also = { $first }, e { $second }
add-caa = adicione o registro CAA { $record } a { $name }
add-own-caa = adicione o registro CAA { $record } ao próprio { $name }
remove-caa = remova { $record } dos registros CAA de { $name }
remove-and-add-caa = remova { $record } dos registros CAA de { $name } e adicione { $right }
replace-caa = substitua o registro CAA { $record } de { $name } por { $right }

## {$request}

ask-to-add-caa = peça { $whom } que adicione o registro CAA { $record } a { $name }
ask-to-remove-caa = peça { $whom } que remova { $record } dos registros CAA de { $name }
ask-to-remove-and-add-caa = peça { $whom } que remova { $record } dos registros CAA de { $name } e adicione { $right }
ask-to-replace-caa = peça { $whom } que substitua o registro CAA { $record } de { $name } por { $right }
ask-to-answer-caa = peça { $whom } que faça os servidores de nomes responderem às consultas de registros CAA de { $name }
ask-to-remove = peça { $whom } que remova { $records }
ask-to-correct-ds = peça { $whom } que mande remover ou corrigir o registro DS { $delegation }
ask-to-agree = peça { $whom } que faça todos os servidores de nomes darem a mesma resposta: o registro { $kind } de { $name } apontando para { $target }
ask-to-shorten = peça { $whom } que mande encurtar a cadeia: { $change }
ask-to-shorten-to = peça { $whom } que mande reduzir a cadeia ao registro { $kind } de { $name } apontando para { $target }
ask-to-answer = peça { $whom } que faça os servidores de nomes de { $zone } responderem, ou que os corrija { $delegation }

## {$whom}

provider = a { $provider }
provider-of = ao provedor de DNS de { $zone }
its-provider = ao seu provedor de DNS
owner-of = ao proprietário de { $name }

## {$delegation}

in-parent = em { $zone }
at-registrar = no registrador

## {$reason}

nobody-allowed = os registros CAA de { $name } não permitem que ninguém emita um certificado
only-allowed = os registros CAA de { $name } só permitem a emissão de certificados por { $authorities }
critical-unknown = as autoridades que não conhecem um registro marcado como crítico se recusam a emitir
caa-unreachable = os registros CAA não podem ser consultados, e nesse caso nenhuma autoridade pode emitir um certificado
caa-not-exact = as autoridades comparam cada caractere: o nome deve estar em minúsculas, sem nada em volta
caa-malformed = o parâmetro { $parameter } do registro atual está malformado
caa-one-account = o registro atual vale só para uma conta (accounturi), e não se sabe se é a da Closte
caa-other-method = o registro atual não permite { $method }, que a Closte usa para os seus certificados
caa-restricted = o registro atual não permite este certificado
cname-loop = os CNAMEs formam um ciclo ({ $path })
cname-chain = a cadeia de { $count } CNAMEs é mais longa do que os resolvedores seguem
cname-chain-or-more = a cadeia de { $count } ou mais CNAMEs é mais longa do que os resolvedores seguem
long-for-some = a cadeia de { $count } CNAMEs é mais longa do que alguns resolvedores seguem
is-an-address = { $target } é um endereço, e o destino de um CNAME precisa ser um nome
is-missing = { $target } não existe
is-without-address = { $target } não tem endereço
zone-fails = os servidores de nomes de { $zone } falham (SERVFAIL)
zone-signatures = as assinaturas DNSSEC de { $zone } estão erradas
leads-on = o CNAME leva a { $target }, e { $reason }
servers-fail = os servidores de nomes falham (SERVFAIL)
servers-fail-here = os servidores de nomes falham (SERVFAIL), embora respondam por novos nomes abaixo de { $zone }
signatures-wrong = as assinaturas DNSSEC estão erradas, de modo que os resolvedores que as validam e a Let's Encrypt não obtêm resposta
servers-disagree = os servidores de nomes não concordam: { $answers }
old-answers = os servidores de nomes respondem certo, mas { $answers }, há mais tempo do que os caches podem guardar uma resposta antiga: outros servidores de nomes, como os anteriores, ainda a fornecem

## {$answers}

says = { $server } responde { $answer }
says-no-name = { $server } responde que o nome não existe
says-no-address = { $server } responde que o nome não tem endereço
says-failure = { $server } falha

## {$switch}

dns-only = coloque o registro em "Somente DNS" ("DNS only"; a nuvem laranja fica cinza)
firewall = tire o site do firewall
protection = tire o site da proteção
service = tire o domínio do serviço
distribution = tire o domínio da distribuição
pull-zone = tire o domínio da "pull zone"

## {$target}

any-address-in = um endereço de { $network }
our-address = o endereço da nossa rede

## {$record}

new-address = um registro { $kind } apontando para { $target }
new-cname = um CNAME para { $host }

## {$records}

records = { $count ->
    [one] o registro { $kind } { $addresses }
   *[other] os registros { $kind } { $addresses }
}
records-of-both = { $first } e { $second }

## Um endereço e de quem ele é

address-of = { $address } ({ $place })
forwarding = redirecionamento da { $provider }
website-builder = criador de sites da { $provider }
parking = página de "parking" da { $provider }
forwarding-or-parking = página de redirecionamento ou de "parking" da { $provider }
unreachable = um endereço que os visitantes não conseguem alcançar

## Listas

and-more = { $list } e mais { $more }

## A página do cliente

page-skip = Ir para o conteúdo
page-steps = O caminho até que os visitantes vejam o seu site
page-step-host = Configurado na nossa hospedagem
page-step-dns = DNS
page-step-certificate = Certificado
page-step-site = O seu site
page-done = feito
page-in-progress = em andamento
page-needs-attention = requer atenção
page-not-yet = ainda não
page-setting-up = Estamos configurando { $name }.
page-gone = { $name } não está mais conectado a nenhum site. Se deveria estar, fale com quem administra o seu site.
page-check-again = Verificar novamente
page-checked = A verificação acabou de ser feita.
page-checking = A verificação ainda está em andamento. Esta página será recarregada em instantes.
page-too-soon = A última verificação foi há menos de dez segundos. Aguarde um momento e tente novamente.
page-last-checked = Última verificação: { $time }
page-not-checked = Ainda não verificado
page-expired = Este link expirou
page-expired-do = Por favor, peça um novo a quem o enviou.
page-incomplete = Este link está incompleto
page-incomplete-do = Por favor, copie-o por inteiro ou peça um novo a quem o enviou.
page-not-now = Não é possível agora
page-not-now-do = Por favor, tente novamente em alguns minutos.
