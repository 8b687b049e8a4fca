package appliance

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What is a day old goes, with the folders that are empty then; the rest stays, also
// an empty folder that somebody is about to use.
func TestForgetPages(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := &Appliance{Layout: Layout{t.TempDir()}, opt: Options{Now: func() time.Time { return now }}}
	if err := a.forgetPages(t.Context()); err != nil {
		t.Errorf("without a folder: %v", err)
	}
	for name, age := range map[string]time.Duration{"views/old/1.png": 25 * time.Hour, "views/new/1.png": 23 * time.Hour, "views/new/1.txt": 25 * time.Hour, "refused/old": 25 * time.Hour} {
		path := filepath.Join(a.Layout.Pages(), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	for name, age := range map[string]time.Duration{"views/old": 25 * time.Hour, "refused": 25 * time.Hour, "converting-1": time.Minute} {
		path := filepath.Join(a.Layout.Pages(), name)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.forgetPages(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"views/new/1.png": true, "views/new/1.txt": false, "views/old": false, "refused": false, "converting-1": true, ".": true} {
		if _, err := os.Stat(filepath.Join(a.Layout.Pages(), name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
