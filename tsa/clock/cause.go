package clock

// Cause is what made the state: one word for programs and metrics, [Cause.Text] for
// people.
type Cause string

// The causes; the table of the package comment says what each does.
const (
	CauseUnverified     Cause = "unverified"
	CauseStarting       Cause = "starting"
	CauseNotWatched     Cause = "not-watched"
	CauseJournal        Cause = "journal"
	CauseLatch          Cause = "latch-unreadable"
	CauseKernelFails    Cause = "kernel-fails"
	CauseUnsynchronised Cause = "unsynchronised"
	CauseBound          Cause = "bound"
	CauseLeap           Cause = "leap-second"
	CauseStep           Cause = "step"
	CauseSuspended      Cause = "suspended"
	CauseBackward       Cause = "backward"
	CauseSourceBound    Cause = "source-bound"
	CauseSourceLost     Cause = "source-lost"
	CauseSourceOld      Cause = "source-old"
	CauseDisagree       Cause = "sources-disagree"
	CauseDiffer         Cause = "sources-differ"
	CauseSecondLost     Cause = "second-lost"
	CauseSecondOld      Cause = "second-old"
	CauseCoarse         Cause = "second-coarse"
	CauseSameServer     Cause = "same-server"
	CauseLeapDiffers    Cause = "leap-differs"
	CauseHalf           Cause = "half-budget"
)

// texts are the causes in Italian and English.
var texts = map[Cause][2]string{
	CauseUnverified:     {"L'ora del sistema non è verificata: solo per dimostrazioni.", "The machine's time is not verified: for demonstrations only."},
	CauseStarting:       {"L'accuratezza dell'ora non è ancora dimostrata.", "The accuracy of the time is not shown yet."},
	CauseNotWatched:     {"Nessuno sorveglia l'orologio.", "Nobody watches the clock."},
	CauseJournal:        {"Il giornale di controllo non accetta registrazioni.", "The journal takes no entries."},
	CauseLatch:          {"Lo stato di blocco non è leggibile.", "The record of the stop cannot be read."},
	CauseKernelFails:    {"Il kernel non comunica lo stato dell'orologio.", "The kernel does not give the state of the clock."},
	CauseUnsynchronised: {"L'orologio non è sincronizzato.", "The clock is not synchronised."},
	CauseBound:          {"L'errore massimo dell'orologio supera l'accuratezza dichiarata.", "The clock's maximum error exceeds the declared accuracy."},
	CauseLeap:           {"È in corso un secondo intercalare.", "A leap second is passing."},
	CauseStep:           {"L'orologio è stato spostato.", "The clock was set."},
	CauseSuspended:      {"La macchina è stata sospesa.", "The machine was suspended."},
	CauseBackward:       {"L'orologio è andato indietro.", "The clock went backwards."},
	CauseSourceBound:    {"Secondo la sorgente di tempo l'orologio può superare l'accuratezza dichiarata.", "By its time source the clock may exceed the declared accuracy."},
	CauseSourceLost:     {"La sorgente di tempo è perduta.", "The time source is lost."},
	CauseSourceOld:      {"La sorgente di tempo non misura da tempo.", "The time source has not measured for a while."},
	CauseDisagree:       {"Le due sorgenti di tempo si contraddicono oltre l'accuratezza dichiarata.", "The two time sources contradict each other beyond the declared accuracy."},
	CauseDiffer:         {"Le due sorgenti di tempo differiscono più di quanto ammettono.", "The two time sources differ by more than they admit."},
	CauseSecondLost:     {"La seconda sorgente di tempo è perduta.", "The second time source is lost."},
	CauseSecondOld:      {"La seconda sorgente di tempo non misura da tempo.", "The second time source has not measured for a while."},
	CauseCoarse:         {"La seconda sorgente di tempo è troppo imprecisa.", "The second time source is too coarse."},
	CauseSameServer:     {"Le due sorgenti seguono lo stesso server.", "Both sources follow the same server."},
	CauseLeapDiffers:    {"Solo una delle sorgenti annuncia un secondo intercalare.", "Only one of the sources announces a leap second."},
	CauseHalf:           {"È consumata più di metà dell'accuratezza dichiarata.", "More than half of the declared accuracy is used."},
}

// Text says the cause in a sentence, in Italian for the language "it" and in English
// for any other. An unknown cause is given as it is.
func (c Cause) Text(lang string) string {
	t, ok := texts[c]
	switch {
	case !ok:
		return string(c)
	case lang == "it":
		return t[0]
	}
	return t[1]
}
