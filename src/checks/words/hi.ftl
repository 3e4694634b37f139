# हिन्दी, संबोधन: आप। प्लेसहोल्डरों के अर्थ en.ftl में हैं।
# {$target} और {$whom} के बाद परसर्ग आता है। {$reason} से पहले "क्योंकि" आता है।

## वाक्य: स्थिति

works = { $name } काम कर रहा है।
works-but-ipv6 = { $name } काम कर रहा है, लेकिन IPv6 वाले विज़िटर किसी दूसरे सर्वर पर पहुँचते हैं।
works-but-not-renewed = { $name } काम कर रहा है, लेकिन इसका सर्टिफ़िकेट रिन्यू नहीं हो सकता।
works-but-not-always = { $name } काम कर रहा है, लेकिन हमेशा नहीं।
still-checking = हम अभी { $name } की जाँच कर रहे हैं।
setting-up = आपका DNS सही है। हम { $name } को सेट अप कर रहे हैं।
renewing-certificate = { $name } काम कर रहा है। हम इसका सर्टिफ़िकेट रिन्यू कर रहे हैं।
issuing-certificate = आपका DNS सही है, और { $name } का सर्टिफ़िकेट जारी किया जा रहा है। इसमें आम तौर पर 5 से 10 मिनट लगते हैं।
fixing-certificate = आपका DNS सही है। हम { $name } का सर्टिफ़िकेट ठीक कर रहे हैं; आपको कुछ नहीं करना है।
checking-certificate = आपका DNS सही है। हम अभी { $name } के सर्टिफ़िकेट की जाँच कर रहे हैं; आपको कुछ नहीं करना है।
fixing-one-server = आपका DNS सही है। हम { $name } के सर्वरों में से एक ({ $address }) को ठीक कर रहे हैं; आपको कुछ नहीं करना है।
fixing-target = { $name } का CNAME सही है। हम { $target } को ठीक कर रहे हैं; आपको कुछ नहीं करना है।
switching-on = { $name } हमारी ओर पॉइंट कर रहा है। हम आपकी साइट चालू कर रहे हैं: आपको कुछ नहीं करना है।
taken-down = { $name } की साइट हटा दी गई है। कृपया हमसे संपर्क करें।
maintenance = { $name } की साइट का रखरखाव चल रहा है: आपको कुछ नहीं करना है।
suspended = { $name } की साइट विज़िटर के लिए बंद है: इसकी सदस्यता समाप्त हो गई है, या इसे अभी प्रकाशित नहीं किया गया है। कृपया अपने खाते में लॉग इन करें या हमसे संपर्क करें।
server-fails = { $name } हमारी ओर पॉइंट कर रहा है, लेकिन हमारा सर्वर ठीक से जवाब नहीं दे रहा है। हम इस पर काम कर रहे हैं: आपको कुछ नहीं करना है।
spreading = आपका बदलाव फैल रहा है: कुछ घंटों में सभी विज़िटर को { $name } का नया पता मिल जाएगा। आपको और कुछ नहीं करना है।
broken = { $name } का DNS काम नहीं कर रहा है, क्योंकि { $reason }।
nobody-may-issue = { $name } के CAA रिकॉर्ड किसी को भी इसका सर्टिफ़िकेट जारी करने की अनुमति नहीं देते।

## वाक्य: क्या करना है

log-in-and = { $log_in } और { $change }।
log-in-and-because = { $log_in } और { $change }, क्योंकि { $reason }।
log-in-or-ask = { $log_in } और { $change }, या { $request }।
log-in-or-ask-because = { $log_in } और { $change }, या { $request }, क्योंकि { $reason }।
keeps-changing = { $name } के DNS जवाब बार-बार बदल रहे हैं। कृपया वहाँ लॉग इन करें जहाँ आप इसका DNS मैनेज करते हैं, { $change }, और इसके बाकी A, AAAA और CNAME रिकॉर्ड हटाएँ।
switch-and = कृपया { $host } में लॉग इन करें, { $switch }, और { $change }।
if-that-is-at = अगर आप इसे { $host } में मैनेज करते हैं, तो { $switch }।
then-log-in-at = इसके बाद { $host } में लॉग इन करें और { $switch }।
proxy-without-tls = { $host } का प्रॉक्सी { $name } के लिए TLS नहीं देता। कृपया { $host } में लॉग इन करें और उसका SSL चालू करें, या जब तक सर्टिफ़िकेट नहीं आता, तब तक { $switch }।
register-first = { $name } DNS में मौजूद नहीं है। कृपया पक्का करें कि { $registered } रजिस्टर्ड है और उसकी अवधि समाप्त नहीं हुई है, और फिर { $change }।
set-up-first = { $name } DNS में मौजूद नहीं है। कृपया पक्का करें कि { $registered } को { $suffix } के प्रदाता के यहाँ सेट अप किया गया है, और फिर { $change }।
please = कृपया { $request }।
please-and-then = कृपया { $request }, और फिर { $change }।
please-because = कृपया { $request }, क्योंकि { $reason }।
please-or-because = कृपया { $request }, या { $change }, क्योंकि { $reason }।

## वाक्य: आगे क्या होगा

hours = सभी विज़िटर को यह बदलाव दिखने में कुछ घंटे लग सकते हैं।
addresses-stay = { $count ->
    [one] { $addresses } सही है और बना रहेगा।
   *[other] { $addresses } सही हैं और बने रहेंगे।
}
a-record-stays = A रिकॉर्ड सही है और बना रहेगा।
without-that = इसके बिना { $name } के लिए कोई सर्टिफ़िकेट जारी नहीं हो सकता।

## लॉग इन कहाँ करना है: वाक्य की शुरुआत

log-in-at = कृपया { $provider } में लॉग इन करें, जहाँ आपका DNS मैनेज होता है,
log-in-where = कृपया वहाँ लॉग इन करें जहाँ आप { $zone } का DNS मैनेज करते हैं,

## {$change}

point = { $name } का { $kind } रिकॉर्ड { $target } पर पॉइंट करें
add = { $name } के लिए { $target } पर पॉइंट करने वाला { $kind } रिकॉर्ड जोड़ें
add-label = { $zone } में { $label } रिकॉर्ड जोड़ें, यानी { $record }
add-beside-wildcard = { $name } के लिए { $target } पर पॉइंट करने वाला { $kind } रिकॉर्ड जोड़ें (अभी वाइल्डकार्ड { $wildcard } जवाब देता है, जो बना रह सकता है)
replace-cname = { $name } का वह CNAME जो { $to } पर पॉइंट करता है, हटाएँ और उसकी जगह { $record } जोड़ें
replace-any-cname = { $name } का CNAME हटाएँ और उसकी जगह { $record } जोड़ें
replace-dname = { $owner } का वह DNAME रिकॉर्ड हटाएँ जो { $to } पर जाता है और { $owner } के नीचे के सभी नामों को रीडायरेक्ट करता है, और { $name } के लिए { $target } पर पॉइंट करने वाला { $kind } रिकॉर्ड जोड़ें
replace-alias = इस नाम का रिकॉर्ड, जो अक्सर बिना चालू टारगेट वाला ALIAS या ANAME होता है, हटाएँ और उसकी जगह { $record } जोड़ें
replace-several = { $name } के { $count } { $kind } रिकॉर्ड हटाएँ और उनकी जगह { $target } पर पॉइंट करने वाला एक ही रिकॉर्ड जोड़ें
remove = { $name } से { $records } हटाएँ
and-remove = { $change } और { $records } हटाएँ
and-also = { $first }, और { $second }
add-caa = { $name } में CAA रिकॉर्ड { $record } जोड़ें
add-own-caa = ख़ुद { $name } में CAA रिकॉर्ड { $record } जोड़ें
remove-caa = { $name } के CAA रिकॉर्ड में से { $record } हटाएँ
remove-and-add-caa = { $name } के CAA रिकॉर्ड में से { $record } हटाएँ और { $right } जोड़ें
replace-caa = { $name } का CAA रिकॉर्ड { $record } हटाएँ और उसकी जगह { $right } जोड़ें

## {$request}

ask-to-add-caa = { $whom } से कहें कि वे { $name } में CAA रिकॉर्ड { $record } जोड़ें
ask-to-remove-caa = { $whom } से कहें कि वे { $name } के CAA रिकॉर्ड में से { $record } हटाएँ
ask-to-remove-and-add-caa = { $whom } से कहें कि वे { $name } के CAA रिकॉर्ड में से { $record } हटाएँ और { $right } जोड़ें
ask-to-replace-caa = { $whom } से कहें कि वे { $name } का CAA रिकॉर्ड { $record } हटाएँ और उसकी जगह { $right } जोड़ें
ask-to-answer-caa = { $whom } से कहें कि उनके नेम सर्वर { $name } के CAA रिकॉर्ड की क्वेरी का जवाब दें
ask-to-remove = { $whom } से कहें कि वे { $records } हटाएँ
ask-to-correct-ds = { $whom } से कहें कि वे { $delegation } DS रिकॉर्ड हटवाएँ या ठीक करवाएँ
ask-to-agree = { $whom } से कहें कि सभी नेम सर्वर एक ही जवाब दें: { $name } का { $target } पर पॉइंट करने वाला { $kind } रिकॉर्ड
ask-to-shorten = { $whom } से कहें कि वे CNAME की चेन छोटी करवाएँ: { $change }
ask-to-shorten-to = { $whom } से कहें कि वे CNAME की चेन की जगह { $name } का { $target } पर पॉइंट करने वाला { $kind } रिकॉर्ड ही रखें
ask-to-answer = { $whom } से कहें कि { $zone } के नेम सर्वर जवाब दें, या वे उन्हें { $delegation } ठीक करें

## {$whom}

provider = { $provider }
provider-of = { $zone } के DNS प्रदाता
its-provider = अपने DNS प्रदाता
owner-of = { $name } के मालिक

## {$delegation}

in-parent = { $zone } में
at-registrar = रजिस्ट्रार के यहाँ

## {$reason}

nobody-allowed = { $name } के CAA रिकॉर्ड किसी को भी सर्टिफ़िकेट जारी करने की अनुमति नहीं देते
only-allowed = { $name } के CAA रिकॉर्ड केवल { $authorities } को सर्टिफ़िकेट जारी करने की अनुमति देते हैं
critical-unknown = जो सर्टिफ़िकेट अथॉरिटी "critical" चिह्नित रिकॉर्ड को नहीं जानतीं, वे सर्टिफ़िकेट जारी करने से मना कर देती हैं
caa-unreachable = CAA रिकॉर्ड देखे नहीं जा सकते, और ऐसे में कोई अथॉरिटी सर्टिफ़िकेट जारी नहीं कर सकती
caa-not-exact = अथॉरिटी हर अक्षर का मिलान करती हैं: नाम छोटे अक्षरों में होना चाहिए और उसके आगे-पीछे कुछ नहीं होना चाहिए
caa-malformed = मौजूदा रिकॉर्ड का पैरामीटर { $parameter } गलत ढंग से लिखा है
caa-one-account = मौजूदा रिकॉर्ड केवल एक अकाउंट (accounturi) के लिए है, और यह पता नहीं है कि वह Closte का है या नहीं
caa-other-method = मौजूदा रिकॉर्ड { $method } की अनुमति नहीं देता, जिसका उपयोग Closte अपने सर्टिफ़िकेट के लिए करता है
caa-restricted = मौजूदा रिकॉर्ड इस सर्टिफ़िकेट की अनुमति नहीं देता
cname-loop = उसके CNAME एक लूप बनाते हैं ({ $path })
cname-chain = उसकी { $count } CNAME की चेन इतनी लंबी है कि रिज़ॉल्वर उसे पूरा नहीं देखते
cname-chain-or-more = उसकी { $count } या ज़्यादा CNAME की चेन इतनी लंबी है कि रिज़ॉल्वर उसे पूरा नहीं देखते
long-for-some = उसकी { $count } CNAME की चेन इतनी लंबी है कि कुछ रिज़ॉल्वर उसे पूरा नहीं देखते
is-an-address = { $target } एक पता है, जबकि CNAME का टारगेट कोई नाम होना चाहिए
is-missing = { $target } मौजूद नहीं है
is-without-address = { $target } का कोई पता नहीं है
zone-fails = { $zone } के नेम सर्वर त्रुटि दे रहे हैं (SERVFAIL)
zone-signatures = { $zone } के DNSSEC सिग्नेचर गलत हैं
leads-on = CNAME आगे { $target } पर ले जाता है, और { $reason }
servers-fail = उसके नेम सर्वर त्रुटि दे रहे हैं (SERVFAIL)
servers-fail-here = उसके नेम सर्वर त्रुटि दे रहे हैं (SERVFAIL), हालाँकि { $zone } के नीचे के नए नामों के लिए जवाब मिलता है
signatures-wrong = उसके DNSSEC सिग्नेचर गलत हैं, इसलिए उन्हें जाँचने वाले रिज़ॉल्वर और Let's Encrypt को जवाब नहीं मिलता
servers-disagree = उसके नेम सर्वर अलग-अलग जवाब देते हैं: { $answers }
old-answers = उसके नेम सर्वर तो सही हैं, लेकिन { $answers }, और यह उससे ज़्यादा समय से है जितना कैश पुराना जवाब रख सकते हैं: दूसरे नेम सर्वर, जैसे कि पहले वाले, अब भी पुराना जवाब दे रहे हैं

## {$answers}

says = { $server } का जवाब { $answer } है
says-no-name = { $server } के अनुसार यह नाम मौजूद नहीं है
says-no-address = { $server } के अनुसार इस नाम का कोई पता नहीं है
says-failure = { $server } त्रुटि देता है

## {$switch}

dns-only = रिकॉर्ड को "DNS only" पर सेट करें (नारंगी बादल धूसर हो जाता है)
firewall = साइट को उसके फ़ायरवॉल से हटाएँ
protection = साइट को उसकी सुरक्षा से हटाएँ
service = डोमेन को उसकी सेवा से हटाएँ
distribution = डोमेन को उसके डिस्ट्रिब्यूशन से हटाएँ
pull-zone = डोमेन को उसके पुल ज़ोन से हटाएँ

## {$target}

any-address-in = { $network } के किसी पते
our-address = हमारे नेटवर्क के पते

## {$record}

new-address = { $target } पर पॉइंट करने वाला { $kind } रिकॉर्ड
new-cname = { $host } पर पॉइंट करने वाला CNAME

## {$records}

records = { $count ->
    [one] { $kind } रिकॉर्ड { $addresses }
   *[other] { $kind } रिकॉर्ड { $addresses }
}
records-of-both = { $first } और { $second }

## पता और वह किसका है

address-of = { $address } ({ $place })
forwarding = { $provider } की फ़ॉरवर्डिंग
website-builder = { $provider } का वेबसाइट बिल्डर
parking = { $provider } का पार्किंग पेज
forwarding-or-parking = { $provider } का फ़ॉरवर्डिंग या पार्किंग पेज
unreachable = ऐसा पता जिस तक विज़िटर नहीं पहुँच सकते

## सूचियाँ

and-more = { $list } और { $more } अन्य

## ग्राहक का पेज

page-skip = सामग्री पर जाएँ
page-steps = विज़िटर को आपकी साइट दिखने तक के चरण
page-step-host = हमारे होस्ट पर सेट अप
page-step-dns = DNS
page-step-certificate = सर्टिफ़िकेट
page-step-site = आपकी साइट
page-done = पूरा
page-in-progress = जारी है
page-needs-attention = ध्यान देना ज़रूरी है
page-not-yet = अभी नहीं
page-setting-up = हम { $name } को सेट अप कर रहे हैं।
page-gone = { $name } अब किसी साइट से जुड़ा नहीं है। अगर इसे जुड़ा होना चाहिए, तो कृपया अपनी साइट सँभालने वालों से पूछें।
page-check-again = फिर से जाँचें
page-checked = जाँच अभी-अभी की गई।
page-checking = जाँच अभी चल रही है। यह पेज कुछ ही पलों में फिर से लोड होगा।
page-too-soon = पिछली जाँच को दस सेकंड भी नहीं हुए हैं। कृपया थोड़ा रुकें, फिर दोबारा कोशिश करें।
page-last-checked = पिछली जाँच: { $time }
page-not-checked = अभी तक जाँच नहीं हुई
page-expired = इस लिंक की अवधि समाप्त हो गई है
page-expired-do = कृपया जिसने इसे भेजा है, उनसे नया लिंक माँगें।
page-incomplete = यह लिंक अधूरा है
page-incomplete-do = कृपया इसे पूरा कॉपी करें, या जिसने इसे भेजा है, उनसे नया लिंक माँगें।
page-not-now = अभी संभव नहीं
page-not-now-do = कृपया कुछ मिनट बाद फिर से कोशिश करें।
