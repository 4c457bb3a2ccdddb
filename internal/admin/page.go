package admin

import (
	"embed"
	"io/fs"
	"net/http"
)

// The page is plain files without any data: they are the same for everybody, and all that is shown comes from the API.
//
//go:embed page
var embedded embed.FS

// pagePolicy lets the page use its own files and talk to its own server, and nothing else: no code or style in the text
// of the page, no string becomes markup (trusted types), nobody may frame it.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// pageFiles are the handlers of the page, by path.
func pageFiles() map[string]http.Handler {
	files, _ := fs.Sub(embedded, "page") // these two cannot fail: the folder is embedded
	entries, _ := fs.ReadDir(files, ".")
	serve := http.FileServerFS(files)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pagePolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
		serve.ServeHTTP(w, r)
	})
	paths := map[string]http.Handler{"/": handler}
	for _, e := range entries {
		if e.Name() != "index.html" { // which is /
			paths["/"+e.Name()] = handler
		}
	}
	return paths
}
