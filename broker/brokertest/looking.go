package brokertest

var looking = []behaviour{}
