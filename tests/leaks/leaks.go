// Package leaks finds goroutines that the tests of a package leave behind.
package leaks

import (
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take to end once the tests have: those of a server that was shut down, or of a
// connection that was closed, take a while on a busy machine. goleak itself waits for less than half a second.
const patience = 30 * time.Second

// Verify runs the tests of a package, for its TestMain, and exits: with an error, too, if goroutines are left.
func Verify(m goleak.TestingM) { goleak.VerifyTestMain(settled{m}) }

// settled runs tests, and waits until their goroutines have ended.
type settled struct{ tests goleak.TestingM }

// Run implements goleak.TestingM.
func (s settled) Run() (code int) {
	code = s.tests.Run()
	for end := time.Now().Add(patience); code == 0 && goleak.Find() != nil && time.Now().Before(end); {
	}
	return code
}
