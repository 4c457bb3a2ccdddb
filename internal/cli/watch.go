package cli

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file must have been left alone before it is read: editors and Kubernetes write in several steps.
const settle = 500 * time.Millisecond

// watchFile tells when the contents of a file are other than those that have been seen, until stop is called. It watches
// the folder, because most programs replace a file rather than write to it; of a link, that of the file it leads to, too.
func watchFile(file string, seen []byte, log *slog.Logger) (changed <-chan struct{}, stop func(), err error) {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, nil, fmt.Errorf("watch %s: %w", file, err)
	}
	folders := []string{filepath.Dir(file)}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		folders = append(folders, filepath.Dir(real))
	}
	for _, folder := range folders { // the same one twice does no harm
		if err := events.Add(folder); err != nil {
			_ = events.Close()
			return nil, nil, fmt.Errorf("watch %s: %w", file, err)
		}
	}
	tell, over := make(chan struct{}, 1), make(chan struct{})
	var following sync.WaitGroup
	following.Go(func() { follow(over, events, file, seen, tell, log) })
	return tell, func() {
		close(over)
		following.Wait()
		_ = events.Close()
	}, nil
}

func follow(over <-chan struct{}, events *fsnotify.Watcher, file string, last []byte, tell chan<- struct{}, log *slog.Logger) {
	quiet := time.NewTimer(settle)
	defer quiet.Stop()
	for {
		select {
		case <-over:
			return
		case <-events.Events:
			quiet.Reset(settle)
		case err := <-events.Errors:
			log.Warn("watching the configuration failed; the next change may go unseen", "error", err)
		case <-quiet.C:
			now, err := os.ReadFile(file)
			if err != nil || bytes.Equal(now, last) {
				continue // it is being replaced, or something else in the folder has changed
			}
			last = now
			select {
			case tell <- struct{}{}:
			default: // it has been told already, and not been read yet
			}
		}
	}
}
