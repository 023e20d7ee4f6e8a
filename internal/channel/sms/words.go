package sms

import "strings"

// The vocabulary of replies, as words are after reading (lower case, no
// accents, no apostrophes). Indonesian first, then English; short forms as
// people type them. A new word belongs here, a new way of reading in reply.go.

// set is a closed class of words.
type set map[string]bool

func words(s ...string) set {
	out := make(set)
	for _, w := range strings.Fields(strings.Join(s, " ")) {
		out[w] = true
	}
	return out
}

func union(sets ...set) set {
	out := make(set)
	for _, s := range sets {
		for w := range s {
			out[w] = true
		}
	}
	return out
}

var (
	// pleas ask for help by being said: only "no need for" takes them back.
	pleas = words(
		"tolong tlg tlng tlong tolg tolongin tolonglah tolongi ditolong sos mayday selamatkan help hlp helpme plishelp",
		"rescue",
	)
	// aids are help as a thing: "no help" may mean that none has come, so these
	// too are taken back only by "no need for".
	aids = words(
		"bantu bantuan bantuin bantulah bantuannya dibantu pertolongan pertolonganmu ambulans ambulan ambulance",
		"assistance assist helps paramedic paramedis medic",
	)
	// harms are states; "not hurt" takes them back.
	harms = words(
		"darurat gawat genting terjebak kejebak terperangkap terkurung terkunci kekunci terkepung tertimpa ketimpa tertimbun tertindih",
		"terhimpit terjepit kejepit tersangkut terseret hanyut tenggelam kebanjiran terbakar kebakar tersesat",
		"luka lukanya terluka cedera cidera berdarah darah pendarahan perdarahan patah pingsan sesak sakit kesakitan kejang kritis sekarat",
		"parah lemas pusing mual muntah keracunan meninggal tewas korban bahaya berbahaya terancam disandera takut ketakutan panik",
		"emergency urgent trapped stuck hurt hurts injured injury injuries wounded bleeding bleed blood unconscious fainted fainting",
		"dying dead casualty casualties danger dangerous burned burnt burning drowning drown collapsed buried hostage scared afraid panicking dizzy",
		"sick pain painful breathless choking critical injure",
	)
	// doubted words also mean something mild, so they do not outweigh "wrong number".
	doubted = union(pleas, aids, words("sakit takut panik parah sick"))

	// lookalikes are everyday words one typing error away from a word above.
	lookalikes = words(
		"terbuka cahaya bahasa bolong kolong tolol koran kurban mentah sekarang hanya lanjut terkuat batuan bantal satuan buatan",
		"ranger manger anger tapped wrapped shared cared sacred spared stared painted tainted turning turned sounded rounded founded",
		"crowning browning breeding insured ringing learning earning warning blooding rescued assists bulk stock",
		"sedang sesuai perintah berubah berada terjadi terlihat bantah bantai",
	)

	safes = words(
		"aman safe save safely selamat amankok gpp gapapa gakpapa ngapapa nggakpapa gppa unharmed unhurt uninjured",
	)
	// wellness words mean safe only of a person ("saya baik"), and are an
	// acknowledgment alone.
	wellness = words("baik ok oke okay okey fine good alright sehat well")

	negations = words(
		"tidak tdk tak ga gak gk g nggak ngga gag enggak engga ndak nda kagak belum blm blom belom bukan bkn tanpa kurang jangan jgn gada gaada",
		"not no never dont doesnt didnt isnt arent wasnt werent aint cant cannot cnt couldnt wont nobody none noone nor neither without hardly barely un",
	)
	// misread looks like a mistyped negation, but is another word.
	misread = words("bulan buka bukit balum tiga tidur")

	// bridges may stand between a negation and what it denies.
	bridges = words(
		"ada yang yg lagi sedang merasa mengalami kena seorang pun satupun orang siapa",
		"any anyone one body is are was were in of us the a got get getting been being be have has had am i im longer to for needs",
	)
	needs = words(
		"perlu perlukan butuh butuhkan memerlukan membutuhkan diperlukan dibutuhkan usah minta mohon",
		"need needs needed require required requires want necessary",
	)

	contrasts = words("tapi tp tpi ttp tetapi namun kecuali cuma cuman hanya sayangnya meski walau but however except although though unfortunately only")

	// unsettled words before a safe word speak of a wish, a condition, a goal or
	// a guess.
	unsettled = words(
		"semoga moga mudah mudahan mudahmudahan kalau kalo klo kl jika bila apabila sampai supaya agar biar menuju ke cari mencari carikan",
		"menunggu tunggu nunggu tetap harap berharap harapkan doa doakan hampir apa apakah sudahkah mana kapan kayaknya kayanya sepertinya",
		"mungkin kira harusnya seharusnya pastikan mau ingin akan jauh pura bisa butuh perlu jaga menjaga",
		"if when once until unless hope hopefully wish pray stay keep be get getting almost nearly toward towards to going heading find looking",
		"rasanya rasa sepertinya maybe probably perhaps seems should make want need will far whether",
	)
	later = words("besok bsk lusa kemarin kemaren kmrn minggu bulan tomorrow yesterday next last")

	others = words(
		"dia ia mereka istri istriku suami suamiku anak anakku teman temanku temen rekan kawan bos atasan adik kakak keluarganya",
		"he she they his her their wife husband son daughter kids children friend friends colleague colleagues coworker boss brother sister mother father",
	)
	selves = words("saya sy aku ak gue gw gua kami kita ane i im we were ive weve me")

	askers = words(
		"apakah apa is are do does did can could may should what whats when where why how who kapan kenapa mengapa knp bagaimana gimana gmn",
		"dimana mana berapa boleh bolehkah bisakah",
	)
	endKah = words("langkah berkah nikah menikah mekah bongkah tingkah")
	tags   = words("kan right yet correct")

	fillers = words(
		"ya yaa pak bapak bpk bu ibu bos mas mbak mba kak kakak bang bro sis min admin dok kok sih dong deh nih lah loh lho tuh toh kan maaf maf permisi punten",
		"halo hallo hai hi hello hey sir mam maam madam please pls plis plz sorry tim team hr hrd the very so much all semua saja aja skrg sekarang now",
		"saat ini disini sini here semuanya everyone banyak",
	)
	acks = words(
		"ya y yes yep yup yeah iya iyah ok oke okay okey okeh oks k kk siap siapp sip baik paham dipahami mengerti ngerti dimengerti noted note",
		"makasih makasi trims trimakasih terimakasih thanks thank thx tq tks ty understood understand roger copy received diterima terima kasih laksanakan",
		"confirm confirmed konfirmasi dikonfirmasi acknowledged ack got it will do monitor sudah dibaca baca mantap nggih njih inggih enggih agree setuju 86",
	)
	ackNeutral = words("saya sy kami aku i we sudah sdh udah telah you atas infonya info informasinya informasi and dan akan dibaca read for info")
	prefixes   = words(
		"no nomor nomer nmr number balas bls reply jawab jawaban jawabannya jawabanku kode code angka pilih pilihan opsi option tekan press",
		"saya sy i my answer is choose untuk ini",
	)
	counted = words(
		"orang org orng karyawan pegawai teman rekan kawan korban anak wanita pria staf staff tim menit mnt jam hari minggu bulan kali mobil motor",
		"km kilo meter m unit ruang ruangan tangga pintu mobilnya jenazah tamu satpam",
		"people person persons men man women woman colleagues workers children kids guests casualties minutes minute min mins hours hour days day times more others of antara diantara",
	)
	places = words(
		"lantai lt lantainya gedung gd gate pintu ruang ruangan blok jam pukul jl jalur line lini shift sif zona zone area kumpul pabrik plant tower",
		"level floor fl room building bay dock gudang point rt rw km tim team unit pos kantor",
	)
	// starters may open the note that follows a "1".
	starters = words(
		"di sudah sdh udah telah kami semua sekarang masih dan posisi lokasi at in on already all alhamdulillah disini dekat near with sama bersama",
		"safe here outside luar lantai lt di gedung saya sy i im we am are me and terima makasih",
	)

	known = union(safes, wellness, negations, needs, bridges, contrasts, unsettled, others, selves, askers, fillers, acks, ackNeutral, prefixes, counted, places, starters, lookalikes)
)

// Phrases. "a|b" is a choice, "@neg" any negation, "x?" may be left out.
var (
	stopTexts  = texts("stop", "berhenti", "stop sms", "berhenti sms", "unsubscribe", "unsub", "stopall", "stop all", "berhenti langganan")
	startTexts = texts("start", "mulai", "unstop", "aktifkan")
	whoTexts   = texts("info", "siapa", "siapa ini", "ini siapa", "who is this", "whos this", "who are you", "ini nomor siapa", "nomor siapa ini",
		"nomor siapa", "siapa anda", "anda siapa", "siapa kamu", "kamu siapa", "dari siapa", "dari siapa ini", "ini dari siapa", "who is it", "who", "siapa kah ini", "siapakah ini")

	wrongNumber = phrases(
		"salah nomor|nomer|no|number|sambung|orang", "salah nomornya", "wrong number|person|phone", "nomor salah", "nomornya salah",
		"bukan karyawan|pegawai|pekerja|staf", "not an? employee|staff", "not your employee", "dont know you", "not employed",
		"bukan nomor|nomernya|nomornya|nomer", "not my|his|her number",
		"sudah|sdh|udah|udh|dah|telah resign|pensiun|mengundurkan", "sudah|sdh|udah|udh keluar dari perusahaan|kerja|pt", "sudah|sdh|udah|udh @neg kerja|bekerja|karyawan",
		"sudah|sdh|udah|udh berhenti kerja|bekerja", "@neg kerja|bekerja lagi", "@neg lagi kerja|bekerja", "mantan karyawan|pegawai",
		"no longer work|working|employed|employee", "@neg work there|here|for anymore|you", "former|ex employee", "have|already resigned", "i resigned", "left the company",
	)

	// calls are help that no single word says.
	calls = phrases(
		"@neg bisa|bs|dapat|kuat|mampu|sanggup keluar|kluar|napas|nafas|bernapas|bernafas|jalan|berjalan|gerak|bergerak|lari|turun|kabur|berdiri|bangun|lihat|melihat|lolos|evakuasi",
		"susah|sulit|sukar|berat napas|nafas|bernapas|bernafas|keluar|jalan|bergerak",
		"cant|cannot|cnt|couldnt get|breathe|breath|move|walk|leave|exit|escape|see|stand|go",
		"unable|not|hard to get|breathe|breath|move|walk|leave|exit|escape|see|stand", "not able to get|breathe|move|walk|leave|exit|escape|see|stand",
		"can not get|breathe|breath|move|walk|leave|exit|escape|see|stand",
		"hard|difficult|trouble|difficulty to? breathe|breathing|breath",
		"save|rescue|get|pick me|us", "selamatkan saya|kami|aku", "jemput saya|kami|aku",
		"butuh|perlu|minta|mohon|kirim|need|send|call|panggil a|an|seorang? dokter|medis|obat|p3k|oksigen|evakuasi|dievakuasi|dijemput|damkar|pemadam|polisi|doctor|nurse|oxygen|evacuation|firefighters|police|someone",
		"masih di dalam", "masih didalam", "still inside", "still in the building|room|lift|elevator", "belum keluar", "blm keluar", "belum bisa keluar", "locked in|inside", "broken leg|arm|bone",
		"rumah sakit", "under the? rubble|debris|attack", "serangan jantung", "heart attack", "butuh|need urgent?|segera help|bantuan|pertolongan",
	)
	// troubles are "I have a problem" where the question is whether it is understood.
	troubles = words("kendala masalah bermasalah terkendala problem problems issue issues trouble kesulitan gangguan")

	// calm holds a negation that denies nothing.
	calm = phrases(
		"@neg apa apa", "@neg papa", "@neg pp", "@neg kenapa napa|kenapa", "@neg kenapa", "@neg ada apa apa", "@neg ada masalah|kendala|keluhan|gangguan",
		"no problem|problems|issue|issues", "tidak kurang suatu? apa pun?", "@neg kurang apa|suatu",
	)
	// soothing words neither answer nor deny.
	soothing    = phrases("@neg usah|perlu? khawatir|kuatir|cemas|panik|takut|repot|worry", "dont worry", "no worries|worry")
	safePhrases = phrases(
		"saya|sy|aku|gue|gw|kami|kita|im|were sudah|sdh|udah|masih|semua|all|is|am|are? baik|ok|oke|okay|okey|fine|good|alright|sehat|well",
		"i|we am|are|were|feel ok|oke|okay|fine|good|alright|well", "all ok|okay|good|fine|well", "everyone ok|okay|fine|good", "everything ok|okay|fine|good", "semua|semuanya baik|ok|oke|sehat", "alhamdulillah|puji baik|sehat|ok|oke",
		"baik baik saja|aja?", "kabar baik",
		"sudah|sdh|udah|udh|dah|telah keluar|kluar|diluar|evakuasi|dievakuasi|mengungsi", "sudah|sdh|udah|udh|dah|telah|berhasil di|ke? luar|keluar",
		"evacuated", "already|safely|got|im|were|are|am out|outside|evacuated", "have evacuated|been? evacuated|out",
		"di|sampai|sampe|tiba di? titik|tempat|area|lokasi kumpul|evakuasi",
		"at|reached|in the? assembly|muster|meeting|gathering|evacuation point|area|place|spot",
	)
	denials = phrases("bantuan|help|assistance @neg|not is? perlu|diperlukan|dibutuhkan|needed|required|necessary", "no help|assistance|ambulance needed|required|necessary|thanks|thank")

	away = phrases(
		"cuti|izin|ijin sakit|melahirkan|hamil", "sick|maternity|annual|on|medical leave", "cuti", "libur|liburan", "wfh|wfa",
		"di rumah", "dirumah", "at|from home", "working from home", "work from home", "kerja dari rumah",
		"@neg lagi|sedang|ada? di lokasi|kantor|tempat|pabrik|site|gedung|gudang|sana|situ|area",
		"@neg ada? dilokasi|dikantor|ditempat", "@neg on site", "@neg onsite", "@neg at|in the|my? office|work|site|building|factory|workplace|plant|warehouse", "@neg in? today",
		"@neg masuk kerja|kantor|hari?", "@neg masuk", "@neg kerja|bekerja hari ini", "@neg on? duty|working|shift",
		"luar kota|negeri", "out of town|office|office|country", "dinas luar", "overseas|abroad", "on vacation|holiday", "vacation", "offsite", "off site|duty|today|work|shift|day", "day off", "off",
	)
	// switches take "off": "the lights are off" is about lights.
	switches = words("turn turned switch switched power lampu listrik lights light mesin hp internet sinyal phone alarm ac air engine is")
)

func texts(s ...string) set {
	out := make(set)
	for _, t := range s {
		out[t] = true
	}
	return out
}
