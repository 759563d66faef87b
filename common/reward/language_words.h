/* language_words.h - the most common words of languages that share a script; blanks part them. */
#ifndef TP_REWARD_LANGUAGE_WORDS_H
#define TP_REWARD_LANGUAGE_WORDS_H

static const struct {
    const char *language, *words;
} common_words[] = {
    {"ar", " أن أو إلى التي الذي بعد بين حيث ذلك على عن في قبل قد كان كل كما لا لم ما مع من هذا "
     "هذه هو هي يمكن "},
    {"bg", " бъде в да до е за и или има как като когато което които който към може му на не но "
     "от още по при с са само се след те това той че ще "},
    {"cs", " a ale až by byl bylo být co do i jako je jeho jen jsem jsou k kde které který může "
     "na nebo není o od po podle pro s se si své tak také to už v ve však z za ze že "},
    {"da", " af at blev blive de den der deres det efter eller en er et for fra han har hun hvad "
     "hvor i ikke jeg kan med men mig nu når og også om over på sig skal som så til ud var vi "
     "være "},
    {"de", " aber als am an auch auf aus bei bis das dass dem den der des die du ein eine einem "
     "einen einer er es für haben hat ich ihre im in ist können mit nach nicht noch nur oder "
     "sich sie sind so um und von vor war werden wie wir wird zu zum zur über "},
    {"en", " a about all an and are as at be been but by can for from has have his if in is it "
     "more my no not of on or out she so that the their there they this to up was we were what "
     "when which who will with would you your "},
    {"es", " a al como con cuando de del desde donde durante el en entre eres es esta este está "
     "hasta hay la las le lo los me muy más no nos o para pero por porque puede que se sin "
     "sobre son su sus sí también todo tu un una y ya "},
    {"fa", " آن از است اما او این با باید بر برای به بود تا خود دارد در را شد شما شود ما می نیز "
     "های هم و کرد کنید که یا یک "},
    {"fi", " ei että he hän hänen ja jo joka jos jotka jotta kaikki kanssa koska kuin kun me "
     "minä mitä mukaan mutta myös ne niin nyt ole olen oli ollut on ovat se sekä sen siitä sinä "
     "sitä tai tämä tämän vain vielä voi "},
    {"fr", " a au aux avec c'est ce ces cette comme d'un dans de des du elle en est et fait il "
     "je la le les leur mais ne nous on ont ou par pas peut plus pour que qui sans se ses si "
     "son sont sur tout très un une votre vous était être "},
    {"hi", " अपने आप इस एक और कर का कि की के को जो तो था थे नहीं ने पर भी में मैं यह या लिए वह "
     "सकते साथ से हम है हैं हो "},
    {"hu", " a amely az azt csak de egy el ez ezt ha hogy is kell ki között le lehet lesz meg "
     "mert minden mint már még nagyon nem szerint után vagy van volna volt és "},
    {"id", " ada adalah akan anda atau bisa dalam dan dapat dari dengan di ini itu juga kami "
     "karena ke kita lebih menjadi mereka oleh pada saya sebagai secara seperti telah tersebut "
     "tidak untuk yang "},
    {"it", " a al alla anche che ci come con da dal degli dei del della delle di e ed era essere "
     "gli ha i il in la le lo loro ma mi molto nel nella non nostro o per più può quando questa "
     "questo se si sono su sua suo tuo tutti un una è "},
    {"mr", " असे आणि आपल्या आम्ही आहे आहेत एक करण्यासाठी किंवा की केले च्या ती ते तो त्या नाही "
     "पण मध्ये म्हणून या साठी हा ही हे होता होते "},
    {"ne", " उनी एक का को गरेको गर्न गर्नु गर्ने छ छन् तथा तर त्यो थियो पनि बाट भएको म मा यो र "
     "लाई लागि ले हामी हुन्छ हो "},
    {"nl", " aan al als bij dan dat de deze dit door een en er geen haar had hebben heeft het "
     "hij ik in is je kan maar meer met naar niet nog of om ook op over te u uit van voor waar "
     "wat we worden wordt ze zich zijn "},
    {"no", " at av bli de den deres det eller en er et etter for fra han har hun hva hvor i ikke "
     "jeg kan med meg men mot nå når og også om over på seg skal som så til ut var vi være å "},
    {"pl", " a ale bardzo być było co czy dla do gdy i ich jak jego jej jest już które który lub "
     "ma może można na nas nie o od oraz po przez przy się są tak także tego ten to tylko tym w "
     "z za ze że "},
    {"pt", " a ao as até com como da das de do dos e ela ele em entre está eu foi há isso já "
     "mais mas muito na no nos não o os ou para pela pelo pode por quando que se ser seu seus "
     "sua suas são só também tem um uma você à é "},
    {"ro", " a această acest al ale au avea ca care ce cu când că dar de din după ei este fi "
     "foarte fost fără la lui mai nu o pe pentru poate prin sau se sunt să un în și "},
    {"ru", " бы был было быть в все вы для до его ее если же за и из или их к как когда меня мы "
     "на не но о он она они от по при с так то только у что это "},
    {"sv", " att av de den det detta du där efter eller en ett finns från får för han har hon i "
     "inte jag kan kommer med men mer mot nu när och också om på sig sin ska skulle som så till "
     "under ut var vi vid är år "},
    {"sw", " au baada cha hayo hii hivyo hiyo hizi huo huu ili kama katika kila kuwa kwa kwamba "
     "la lakini mimi moja na ni pia sana sisi vya wa wakati wake wako wao watu ya yake yangu "
     "yao yetu za zaidi "},
    {"tl", " ako ang at ating ay hindi isang ito ka kanyang ko kung lang may mga mo na nang ng "
     "ni niya para rin sa si siya "},
    {"tr", " ama ancak ben bir bu bunu da daha de değil diye en gibi göre hem her ile ise için "
     "kadar kendi mi ne o olan olarak oldu olduğu sonra var ve veya ya çok şey "},
    {"uk", " або але був було бути в ви вони від він для до з за й його ми може на не по при про "
     "та так також у це через що щоб як якщо які є і її "},
    {"ur", " آپ اس اور ایک بھی تو تھا جو سے لیے میں نہیں نے وہ پر کا کر کو کہ کی کیا کے گیا ہم "
     "ہو ہیں ہے یہ "},
    {"vi", " bạn cho các còn có cũng của hay khi không là làm lại mà một người nhiều như nhưng "
     "những này năm phải ra rất sau sẽ thì trong tôi từ và vào về với đã đó được đến để ở "},
};

#endif
