package web

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sigillo/signing"
)

// viewed is what the viewer shows.
type viewed struct {
	Image  string  `json:"image"` // address
	Alt    string  `json:"alt"`
	Where  string  `json:"where"`
	Words  string  `json:"words"`
	Width  float64 `json:"width"` // of the image, in widths of the frame
	Scroll bool    `json:"scroll"`
	Prev   bool    `json:"prev"`
	Next   bool    `json:"next"`
	Search string  `json:"search"`
	Loaded int     `json:"loaded"` // page images asked for so far
	Same   bool    `json:"same"`   // the page was not loaded anew
}

func (s *stroll) viewed() viewed {
	s.t.Helper()
	return eval[viewed](s, `(() => {
		const v = document.querySelector(".viewer"), p = v.querySelector(".viewport"), i = p.querySelector("img");
		return { image: new URL(i.src).pathname, alt: i.alt, where: v.querySelector(".where").textContent, words: v.querySelector(".written").textContent,
			width: i.getBoundingClientRect().width / p.clientWidth, scroll: p.scrollWidth > p.clientWidth + 1,
			prev: !!v.querySelector("[rel=prev]").href, next: !!v.querySelector("[rel=next]").href, search: location.search,
			loaded: performance.getEntriesByType("resource").filter(e => /\/pages\/\d+$/.test(e.name)).length, same: window.same === true };
	})()`)
}

// leafed waits for the image and the words of a page.
func (s *stroll) leafed(page string) {
	s.t.Helper()
	done := `document.querySelector(".written").textContent.startsWith("Words of page ` + page + `") && !document.querySelector(".viewport[aria-busy]")`
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](done)); err != nil {
		s.t.Fatalf("page %s does not come: %v", page, err)
	}
}

// viewer tries the viewer of a document of three pages: images are loaded when
// they are looked at and not before, with button, link and key, and the words
// beside them follow.
func (s *stroll) viewer() {
	s.t.Helper()
	eval[bool](s, `window.same = true`)
	if v := s.viewed(); v.Image != "/documents/d-1/pages/1" || v.Loaded != 1 || v.Prev || !v.Next || v.Scroll || v.Words != "Words of page 1 of d-1 <b>&amp;" {
		s.t.Errorf("at first: %+v", v)
	}
	s.run("next", chromedp.Click(".pager [rel=next]"))
	s.leafed("2")
	if v := s.viewed(); v.Image != "/documents/d-1/pages/2" || !strings.Contains(v.Alt, "2") || !strings.Contains(v.Where, "2") || v.Loaded != 2 || !v.Prev || !v.Next || v.Search != "?page=2" || !v.Same {
		s.t.Errorf("next page: %+v", v)
	}
	s.run("zoom", chromedp.Click("[data-zoom=in]"), chromedp.Click("[data-zoom=in]"))
	if v := s.viewed(); v.Width < 1.3 || v.Width > 1.55 || !v.Scroll {
		s.t.Errorf("enlarged: %+v", v)
	}
	s.shot("05-document-zoomed")
	s.run("keys", chromedp.Focus(".viewport"), chromedp.KeyEvent(kb.PageDown))
	s.leafed("3")
	s.run("more keys", chromedp.KeyEvent(kb.PageDown), chromedp.KeyEvent("+"))
	if v := s.viewed(); v.Image != "/documents/d-1/pages/3" || v.Next || !v.Same || v.Width < 1.8 {
		s.t.Errorf("keys: %+v", v)
	}
	s.run("back", chromedp.KeyEvent("0"), chromedp.KeyEvent(kb.Home))
	s.leafed("1")
	if v := s.viewed(); v.Image != "/documents/d-1/pages/1" || v.Prev || v.Scroll || v.Width > 1 {
		s.t.Errorf("back: %+v", v)
	}
	s.run("arrows", chromedp.KeyEvent(kb.ArrowRight))
	s.leafed("2")
	s.run("enlarged", chromedp.KeyEvent("+"), chromedp.KeyEvent(kb.ArrowLeft), chromedp.KeyEvent("0"))
	if v := s.viewed(); v.Image != "/documents/d-1/pages/2" {
		s.t.Errorf("the arrows of an enlarged page turn it: %+v", v)
	}
	s.run("arrows", chromedp.KeyEvent(kb.ArrowLeft))
	s.leafed("1")
	s.run("smaller", chromedp.KeyEvent("-"), chromedp.KeyEvent("-"), chromedp.KeyEvent("-"), chromedp.KeyEvent("-"))
	if v := s.viewed(); v.Width < 0.4 || v.Width > 0.55 || v.Scroll {
		s.t.Errorf("reduced: %+v", v)
	}
	s.run("words", chromedp.KeyEvent("0"), chromedp.Click(".words summary"), chromedp.WaitVisible(".written"))
	s.shot("05-document-words")
	s.run("reload", chromedp.Navigate(s.w.url+"/documents/d-1?page=3"), chromedp.WaitVisible(".sheet"))
	if v := s.viewed(); v.Image != "/documents/d-1/pages/3" || v.Words != "Words of page 3 of d-1 <b>&amp;" {
		s.t.Errorf("by its address: %+v", v)
	}
}

// TestViewerTellsWhatIsMissing: a picture that does not come is told in words; when
// the session has ended, paging leads to the sign-in page and its markup is not
// taken for the words of the page.
func TestViewerTellsWhatIsMissing(t *testing.T) {
	w := build(t)
	if _, err := w.rooms.Upload(t.Context(), testHolder, "a.pdf", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	s := open(t, w, chromium(t), "en")
	s.run("sign in", chromedp.Navigate(w.url+"/signin?next=/documents/d-1"), chromedp.WaitVisible("#otp"),
		chromedp.SendKeys("#username", testUser), chromedp.SendKeys("#password", testPassword), chromedp.SendKeys("#otp", "111111"+kb.Enter),
		chromedp.WaitVisible(".sheet"))
	unseen := func() string { return eval[string](s, `document.querySelector(".unseen").textContent`) }
	faulty := func(err error) {
		w.rooms.mu.Lock()
		defer w.rooms.mu.Unlock()
		w.rooms.fault = map[string]error{"Page": err}
	}
	faulty(refuse(signing.Busy))
	s.run("next", chromedp.Click(".pager [rel=next]"))
	s.leafed("2")
	if said := unseen(); !strings.Contains(said, "cannot be shown now") {
		t.Errorf("of a picture that does not come is said %q", said)
	}
	s.run("loaded again", chromedp.Navigate(w.url+"/documents/d-1?page=2"), chromedp.WaitVisible(".unseen"))
	faulty(nil)
	s.run("next", chromedp.Click(".pager [rel=next]"))
	s.leafed("3")
	if said := unseen(); said != "" {
		t.Errorf("of a picture that came is said %q", said)
	}

	w.rooms.mu.Lock()
	clear(w.rooms.hall.rows)
	w.rooms.mu.Unlock()
	s.run("session over", chromedp.Click(".pager [rel=prev]"), chromedp.WaitVisible("#otp"))
}

// TestUploadCancelled: an upload can be given up, and who comes back to a page finds
// nothing under way on it.
func TestUploadCancelled(t *testing.T) {
	w := build(t)
	file := filepath.Join(t.TempDir(), "Lettera con campi.docx")
	if err := os.WriteFile(file, []byte("PK"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, w, chromium(t), "en")
	s.run("sign in", chromedp.Navigate(w.url+"/signin"), chromedp.WaitVisible("#otp"), chromedp.SendKeys("#username", testUser),
		chromedp.SendKeys("#password", testPassword), chromedp.SendKeys("#otp", "111111"+kb.Enter), chromedp.WaitVisible("#file"))
	eval[bool](s, `window.sent = XMLHttpRequest.prototype.send; XMLHttpRequest.prototype.send = function () {}; true`) // as over a slow line
	s.run("upload", chromedp.SetUploadFiles("#file", []string{file}), chromedp.Click("#upload button[type=submit]"), chromedp.WaitVisible("#upload-cancel"),
		chromedp.Click("#upload-cancel"), chromedp.WaitNotVisible("#upload-progress"))
	if !eval[bool](s, `document.activeElement === document.querySelector("#upload button[type=submit]") && !document.activeElement.disabled`) {
		t.Error("after an upload was given up the next one cannot begin")
	}
	eval[bool](s, `XMLHttpRequest.prototype.send = window.sent; true`)
	empty := filepath.Join(t.TempDir(), "vuoto.pdf")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("one empty", chromedp.SetUploadFiles("#file", []string{empty, file}), chromedp.Click("#upload button[type=submit]"), chromedp.WaitVisible("#upload-error a"))
	if said := eval[string](s, `document.getElementById("upload-error").innerText`); !strings.Contains(said, "“vuoto.pdf”: No content") || !strings.Contains(said, "The other file was accepted") {
		t.Errorf("of two files, one of them empty, is said %q", said)
	}
	s.run("see the other", chromedp.Click("#upload-error a"), chromedp.WaitVisible(".selectable, .list"), chromedp.SetUploadFiles("#file", []string{file}))
	s.run("again", chromedp.Click("#upload button[type=submit]"), chromedp.WaitVisible("form[action$='/convert']"))

	said := eval[string](s, `(() => {
		const f = document.querySelector("form[action$='/convert']"), status = f.querySelector(".once-status");
		f.addEventListener("submit", (e) => e.preventDefault());
		f.requestSubmit();
		const before = status.textContent;
		window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
		return before + "|" + status.textContent;
	})()`)
	if before, after, _ := strings.Cut(said, "|"); !strings.HasPrefix(before, "Converting") || after != "" {
		t.Errorf("on coming back is said %q", said)
	}
}
