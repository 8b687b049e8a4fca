package web

import (
	"context"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
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
