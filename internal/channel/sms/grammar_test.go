package sms

import (
	"testing"

	"kentongan/internal/announcement"
)

// TestParseRules reads replies beyond the published table, one group for each
// way in which people write.
func TestParseRules(t *testing.T) {
	t.Parallel()
	groups := []struct {
		name    string
		answers announcement.Answers
		want    Class
		texts   []string
	}{
		{"the published extract, safe", announcement.Safety, ClassSafe, []string{
			"1", "１", `"1"`, "no 1", "1=aman", "satu", "AMAN", "amaaan", "Alhamdulillah aman", "gak papa kok", "sudah keluar", "aman, tidak perlu bantuan"}},
		{"the published extract, help", announcement.Safety, ClassHelp, []string{
			"2", "dua", "toloooong", "tolng", "butuh bantaun", "🆘", "tdk aman", "blm aman", "not safe", "1 tapi kaki luka",
			"saya aman tapi teman saya terluka", "1 2", "tolong stop"}},
		{"the published extract, not on site", announcement.Safety, ClassOffSite, []string{"3", "saya cuti", "saya tidak di lokasi, aman"}},
		{"the published extract, seen", announcement.Safety, ClassSeen, []string{"ya", "ok", "Siap pak", "👍"}},
		{"the published extract, understood", announcement.Read, ClassAck, []string{"ya", "ok", "Siap pak", "👍"}},
		{"the published extract, unclear", announcement.Safety, ClassUnclear, []string{
			"keluar", "selesai", "cancel", "end", "12", "selamat pagi", "tidak butuh bantuan", "Aman pak?", "aman gak", "sudah aman belum", "is it safe"}},

		{"a digit in many dresses", announcement.Safety, ClassSafe, []string{
			"1️⃣", "①", "1!", "#1", "Balas 1", "jawaban saya 1", "my answer is 1", "ok 1", "1 aman", "1aman", "1 ok", "1 pak", "pak 1", "1, semua aman",
			"1 saya di lantai 2", "1 di titik kumpul", "1 tidak butuh bantuan", "one", "1 1", "1 makasih"}},
		{"safe in words", announcement.Safety, ClassSafe, []string{
			"saya aman pak", "aman semua pak", "puji Tuhan aman", "amann", "amaan", "aman2 saja", "aman kok", "aman bu, terima kasih", "ya aman", "yes, I am safe",
			"we are safe", "We're all safe", "all safe here", "I'm ok", "I’m fine", "im okay", "i am good", "saya baik", "saya baik-baik saja", "baik2 aja", "gpp",
			"ga papa", "nggak apa2", "tdk apa2 pak", "saya ok", "saya selamat", "sudah di luar gedung", "already outside", "I got out", "evacuated", "at the assembly point",
			"sudah sampai titik kumpul", "aman, tidak ada yang terluka", "not hurt, safe", "safe, no injuries", "safe, no help needed", "aman. jangan khawatir",
			"gempa kuat tapi saya aman", "saya dan istri aman", "kami tidak apa-apa", "selamat dari gempa", "aman saja, tidak ada masalah", "sehat walafiat aman", "saya sehat"}},
		{"help in words", announcement.Safety, ClassHelp, []string{
			"tlg", "tolong saya", "tollong", "tolonggg", "Tolon saya", "mohon bantuannya", "perlu bantuan segera", "bantu kami", "minta pertolongan", "kami terjebak", "terjebka di lift",
			"kaki saya patah", "luka2", "banyak darah", "sesak napas", "susah nafas", "gak bisa napas", "tidak bisa bergerak", "cant breathe", "I can't get out", "cannot move",
			"trapped", "im traped in the lift", "bleeding", "blleeding", "ambulance please", "panggil ambulans", "need a doctor", "need doctor", "butuh dokter", "save me", "selamatkan kami",
			"emergancy", "darrurat", "masih di dalam gedung", "we are stuck", "di rumah sakit", "ada yang pingsan", "unsafe", "I am not ok", "im not fine", "saya tidak baik-baik saja",
			"ga aman", "g aman", "tidk aman", "tdak aman", "kurang aman", "belum merasa aman", "not feeling safe", "gaaman", "aman tapi sesak", "safe but my friend is hurt",
			"ok tolong", "2!", "2?", "b2", "2 b", "balas 2", "no 2", "2 lantai 3 dekat gudang", "2tolong", "1/2", "2,1", "tidak bisa keluar tolong", "tidak ada bantuan",
			"belum ada bantuan", "no one helps", "nobody can help us", "tidak sakit tapi sesak", "tolong info cuti saya", "sudah resign tapi saya terjebak"}},
		{"never safe: questions", announcement.Safety, ClassUnclear, []string{
			"aman?", "1 ?", "are we safe", "is it safe to go back", "apakah sudah aman", "amankah pak", "sudah aman kah", "aman kan", "aman tidak", "aman apa belum?", "pak sudah aman belum ya", "safe yet", "can we say safe"}},
		{"never safe: wishes, conditions, others", announcement.Safety, ClassFreeText, []string{
			"semoga semua aman ya pak", "kalau sudah aman kabari saya", "stay safe everyone there", "menuju tempat yang aman", "istri saya aman di rumahnya pak",
			"aman tapi jalan ditutup semua", "saya aman, budi belum kelihatan", "1 orang masih di gudang", "I hope everyone is safe"}},
		{"help denied", announcement.Safety, ClassUnclear, []string{
			"gak butuh bantuan", "no help needed", "I don't need help", "tidak perlu ditolong", "tidak ada yang terluka", "nobody is hurt", "not in danger", "bantuan tidak diperlukan", "tidak perlu ambulans"}},
		{"not on site", announcement.Safety, ClassOffSite, []string{
			"3b", "tiga", "3 pak", "lagi cuti", "sedang libur pak", "wfh", "WFH hari ini", "saya di rumah", "di rumah, aman", "aman di rumah", "I'm at home", "not on site", "Not at the office",
			"on leave", "off today", "hari ini off", "gak di kantor", "saya tidak masuk kerja", "luar kota", "izin sakit", "sick leave", "working from home"}},
		{"no leave", announcement.Safety, ClassFreeText, []string{"saya tidak cuti hari ini", "besok saya baru libur", "the power is off here"}},
		{"acknowledged only", announcement.Safety, ClassSeen, []string{"iya pak", "baik bu", "noted", "ok siap", "oke terima kasih infonya", "y", "sip", "baik saya mengerti", "thank you", "🙏"}},
		{"understood", announcement.Read, ClassAck, []string{"1", "1.", "ya", "iya pak paham", "ok noted", "understood", "sudah dibaca", "aman", "siap laksanakan", "tidak ada kendala"}},
		{"a problem", announcement.Read, ClassHelp, []string{"2", "kendala", "ada kendala", "saya ada masalah", "I have a problem", "ok tapi ada kendala"}},
		{"not understood", announcement.Read, ClassUnclear, []string{"tidak paham", "belum mengerti", "ok?", "paham tapi"}},
		{"stop is the whole text", announcement.Safety, ClassStop, []string{"stop", "STOP!", "Stop all", "UNSUBSCRIBE", "berhenti langganan", "sttttop"}},
		{"not stop", announcement.Safety, ClassUnclear, []string{"quit", "batal", "stop dulu", "keluar"}},
		{"start", announcement.Safety, ClassStart, []string{"START", "mulai", "Unstop", "aktifkan"}},
		{"who", announcement.Safety, ClassWho, []string{"info", "siapa?", "Ini siapa ya?", "maaf ini siapa", "who's this?", "Who is this please", "siapa anda"}},
		{"wrong number", announcement.Safety, ClassWrongNumber, []string{
			"salah nomor pak", "Wrong number", "saya sudah resign", "saya bukan karyawan lagi", "sudah tidak kerja di sana", "I no longer work there", "ini bukan nomor Budi", "sudah berhenti kerja"}},
		{"free text", announcement.Safety, ClassFreeText, []string{
			"2 orang belum kelihatan di gudang", "two people missing at warehouse", "saya masih di jalan ke kantor", "dua orang belum kelihatan pak"}},
		{"unreadable", announcement.Safety, ClassUnclear, []string{"", "???", "😭", "1 救命", "救命", "13", "222", "7", "b", "...."}},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			for _, text := range g.texts {
				if got := Parse(text, g.answers); got.Class != g.want {
					t.Errorf("Parse(%q, %s) = %s, want %s", text, g.answers, got.Class, g.want)
				}
			}
		})
	}
}
